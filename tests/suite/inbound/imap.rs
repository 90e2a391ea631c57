//! The mailbox on an IMAP server, scripted and real.
