//! A way to the test server's PostgreSQL that can be blocked, as by a server that hangs or that nobody can reach.

use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

pub struct PostgresProxy {
    /// A database of its own, through here.
    pub url: String,
    /// The same one, past here.
    pub direct_url: String,
    way: watch::Sender<Way>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    Hanging,
    Closed,
}

impl PostgresProxy {
    /// None where there is no test server, and none is asked for.
    pub async fn start() -> Option<Self> {
        let Ok(test_server) = std::env::var("TOLLBRIDGE_TEST_POSTGRES") else {
            assert!(
                std::env::var("TOLLBRIDGE_TEST_ALL").is_err(),
                "the PostgreSQL half of the tests may not be skipped"
            );
            return None;
        };
        let (before, folder) = test_server.split_once("/postgres?host=").unwrap();
        let name = format!("blocked_{}", uuid::Uuid::now_v7().simple());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let way = watch::Sender::new(Way::Open);
        tokio::spawn(serve(listener, address, format!("{folder}/.s.PGSQL.5432"), way.subscribe()));
        Some(Self {
            url: format!("postgres://postgres@{address}/{name}?sslmode=disable"),
            direct_url: format!("{before}/{name}?host={folder}"),
            way,
        })
    }

    /// Whatever is sent arrives nowhere, until it is opened.
    pub fn hang(&self) {
        self.way.send_replace(Way::Hanging);
    }

    /// Ends every connection and refuses new ones.
    pub fn close(&self) {
        self.way.send_replace(Way::Closed);
    }

    pub fn open(&self) {
        self.way.send_replace(Way::Open);
    }
}

async fn serve(mut listener: TcpListener, address: SocketAddr, socket: String, mut way: watch::Receiver<Way>) {
    let mut closing = way.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.unwrap();
                tokio::spawn(pass(stream, socket.clone(), way.clone()));
                continue;
            }
            _ = closing.wait_for(|way| *way == Way::Closed) => {}
        }
        drop(listener);
        if way.wait_for(|way| *way != Way::Closed).await.is_err() {
            return;
        }
        listener = TcpListener::bind(address).await.unwrap();
    }
}

async fn pass(client: TcpStream, socket: String, mut way: watch::Receiver<Way>) {
    client.set_nodelay(true).unwrap();
    let server = UnixStream::connect(socket).await.unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = pump(from_client, to_server, way.clone()) => {}
        () = pump(from_server, to_client, way.clone()) => {}
        _ = way.wait_for(|way| *way == Way::Closed) => {}
    }
}

async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut way: watch::Receiver<Way>) {
    let mut buffer = [0; 8192];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        if way.wait_for(|way| *way == Way::Open).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
