//! A program on reqwest with a jar of aio-cookies: what it is told for `co.uk` stays unsent, and
//! what it is told for itself is there again after a restart.
//!
//! `cargo run --manifest-path tests/with-reqwest/Cargo.toml` runs it against a server of its own.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::{env, fs, process, thread};

use aio_cookies::CookieJar;
use reqwest::Client;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(visit())
}

async fn visit() -> Result<(), Box<dyn Error>> {
    let server = serve()?;
    let jar = Arc::new(CookieJar::new());
    let client = client(&jar, server)?;
    let ask = async |client: &Client, host: &str| -> reqwest::Result<String> {
        let url = format!("http://{host}:{}/", server.port());
        client.get(url).send().await?.text().await
    };
    // The server answers with the cookies that it got, and sets two.
    assert_eq!(ask(&client, "evil.co.uk").await?, "");
    assert_eq!(ask(&client, "evil.co.uk").await?, "own=1");
    assert_eq!(ask(&client, "bank.co.uk").await?, "");

    let directory = env::temp_dir().join(format!("with-reqwest-{}", process::id()));
    fs::create_dir_all(&directory)?;
    let file = directory.join("cookies.json");
    let again = Arc::new(CookieJar::new());
    let saved = jar.save(&file).and_then(|()| again.load(&file));
    fs::remove_dir_all(&directory)?;
    saved?;
    let client = self::client(&again, server)?;
    assert_eq!(ask(&client, "evil.co.uk").await?, "own=1");
    println!("what evil.co.uk set for co.uk went nowhere; its own cookie was saved and loaded");
    Ok(())
}

fn client(jar: &Arc<CookieJar>, server: SocketAddr) -> reqwest::Result<Client> {
    Client::builder()
        .no_proxy()
        .cookie_provider(Arc::clone(jar))
        .resolve("evil.co.uk", server)
        .resolve("bank.co.uk", server)
        .build()
}

/// Answers each request on a connection of its own.
fn serve() -> Result<SocketAddr, std::io::Error> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if let Err(error) = answer(&stream) {
                eprintln!("{error}");
            }
        }
    });
    Ok(address)
}

fn answer(mut stream: &TcpStream) -> Result<(), std::io::Error> {
    let mut cookies = String::new();
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("cookie")
        {
            cookies = value.to_owned();
        }
    }
    let length = cookies.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\
         Set-Cookie: leak=1; Domain=co.uk\r\nSet-Cookie: own=1; Max-Age=3600\r\n\r\n{cookies}"
    )
}

#[test]
fn the_leak_is_shut_and_the_jar_is_saved() {
    main().expect("it ends well");
}
