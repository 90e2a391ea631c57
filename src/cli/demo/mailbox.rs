//! The demo's mail server: a small SMTP server (RFC 5321) on loopback that writes what it takes into a folder.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// The longest mail that it takes, in bytes.
const MAX_MAIL: usize = 1024 * 1024;

/// Takes mails until the runtime ends, as `OWNER-N.eml` in this folder; where.
pub async fn serve(folder: PathBuf) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let taken = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (folder, taken) = (folder.clone(), Arc::clone(&taken));
            // A client that hangs up early is no business of the next one.
            tokio::spawn(async move { talk(stream, &folder, &taken).await });
        }
    });
    Ok(address)
}

async fn talk(stream: TcpStream, folder: &Path, taken: &AtomicUsize) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    // Nobody's command or mail is longer than this; a client that goes on is cut off.
    let mut read = BufReader::new(read.take(4 * MAX_MAIL as u64));
    write.write_all(b"220 demo.example.com ESMTP sample server\r\n").await?;
    let mut to = String::new();
    let mut line = String::new();
    loop {
        line.clear();
        if read.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply = match verb.as_str() {
            "EHLO" | "HELO" => "250 demo.example.com\r\n".to_owned(),
            "RCPT" => {
                to = line.split(['<', '>']).nth(1).unwrap_or("nobody").to_owned();
                "250 2.1.5 Ok\r\n".to_owned()
            }
            "DATA" => {
                write.write_all(b"354 End data with <CR><LF>.<CR><LF>\r\n").await?;
                let mail = body(&mut read).await?;
                let number = taken.fetch_add(1, Ordering::SeqCst) + 1;
                keep(folder, &to, number, &mail)?;
                format!("250 2.0.0 Ok: queued as SAMPLE{number}\r\n")
            }
            "MAIL" | "RSET" | "NOOP" => "250 2.0.0 Ok\r\n".to_owned(),
            "QUIT" => {
                write.write_all(b"221 2.0.0 Bye\r\n").await?;
                return Ok(());
            }
            _ => "502 5.5.2 Not known here\r\n".to_owned(),
        };
        write.write_all(reply.as_bytes()).await?;
    }
}

/// The message up to the final dot, dots unstuffed (RFC 5321 section 4.5.2).
async fn body(read: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut mail = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if read.read_until(b'\n', &mut line).await? == 0 || mail.len() > MAX_MAIL {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.as_slice() {
            b".\r\n" => return Ok(mail),
            [b'.', rest @ ..] => mail.extend_from_slice(rest),
            whole => mail.extend_from_slice(whole),
        }
    }
}

fn keep(folder: &Path, to: &str, number: usize, mail: &[u8]) -> io::Result<()> {
    let owner: String = to.split('@').next().unwrap_or("nobody").chars().filter(char::is_ascii_alphanumeric).collect();
    std::fs::write(folder.join(format!("{owner}-{number}.eml")), mail)
}
