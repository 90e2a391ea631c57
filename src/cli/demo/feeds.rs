//! The demo's publishers: four sample feeds in four formats, served on loopback.

use std::{io, net::SocketAddr};

use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use tokio::net::TcpListener;

const SAMPLES: [(&str, &str, &str); 4] = [
    ("/quillgate.atom", "application/atom+xml", include_str!("samples/quillgate.atom")),
    ("/cert.xml", "application/rss+xml", include_str!("samples/cert.xml")),
    ("/tarnbase.json", "application/feed+json", include_str!("samples/tarnbase.json")),
    ("/fernwald.rdf", "application/rdf+xml", include_str!("samples/fernwald.rdf")),
];

/// Serves the samples until the runtime ends; where.
pub async fn serve() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = SAMPLES.into_iter().fold(Router::new(), |router, (path, kind, text)| {
        router.route(path, get(move || async move { ([(CONTENT_TYPE, kind)], text) }))
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}
