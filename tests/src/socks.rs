//! A SOCKS proxy that gives tunnels, or refuses them, and remembers what it was asked.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// A proxy that speaks SOCKS4, 4a and 5, and whose tunnels all lead to one server, whatever
/// is asked for.
///
/// Dropping it ends it and its tunnels.
///
/// ```
/// use aio_tests::socks::{Rules, SocksProxy};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = "127.0.0.1:9".parse()?;
/// let proxy = SocksProxy::start(server, Rules::default()).await?;
/// assert!(proxy.url("socks5h", "ada:pw").starts_with("socks5h://ada:pw@127.0.0.1:"));
/// assert!(proxy.asked().is_empty());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SocksProxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    open: watch::Sender<usize>,
    acceptor: JoinHandle<()>,
}

/// Whom a [`SocksProxy`] gives tunnels to.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Login and password of SOCKS5, without which there is none.
    pub login: Option<(&'static str, &'static str)>,
    /// The codes that requests are refused with, one after the other; all others are granted.
    pub refusals: Vec<u8>,
}

impl SocksProxy {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub async fn start(server: SocketAddr, rules: Rules) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, asked) = (listener.local_addr()?, Arc::default());
        let asker = Asker {
            server,
            login: rules.login,
            refusals: Arc::new(Mutex::new(rules.refusals.into_iter())),
            log: Arc::clone(&asked),
        };
        let open = watch::Sender::new(0);
        let counted = open.clone();
        let acceptor = tokio::spawn(async move {
            let mut tunnels = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.send_modify(|open| *open += 1);
                let (asker, counted) = (asker.clone(), counted.clone());
                tunnels.spawn(async move {
                    // What goes wrong ends the connection, which is for the client to notice.
                    _ = asker.serve(stream).await;
                    counted.send_modify(|open| *open -= 1);
                });
            }
        });
        Ok(Self {
            address,
            asked,
            open,
            acceptor,
        })
    }

    /// Returns where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its URL with this scheme and userinfo.
    #[must_use]
    pub fn url(&self, scheme: &str, userinfo: &str) -> String {
        let at = if userinfo.is_empty() { "" } else { "@" };
        format!("{scheme}://{userinfo}{at}{}", self.address)
    }

    /// Returns what was asked so far, as `4 ada 192.0.2.7:80`, `4a a.test:80` or
    /// `5 ada:pw [::1]:443`: the version, the login if there was one, and the peer.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        lock(&self.asked).clone()
    }

    /// Returns how many connections to it are open now.
    #[must_use]
    pub fn open(&self) -> usize {
        *self.open.borrow()
    }

    /// Waits until exactly so many are open.
    pub async fn wait_for_open(&self, open: usize) {
        // It keeps a sender itself: the channel is open.
        _ = self.open.subscribe().wait_for(|now| *now == open).await;
    }
}

impl Drop for SocksProxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

#[derive(Clone)]
struct Asker {
    server: SocketAddr,
    login: Option<(&'static str, &'static str)>,
    refusals: Arc<Mutex<std::vec::IntoIter<u8>>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Asker {
    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (asked, granted) = match stream.read_u8().await? {
            4 => (four(&mut stream).await?, 90),
            5 => {
                let Some(login) = self.let_in(&mut stream).await? else {
                    return Ok(());
                };
                (five(&mut stream, &login).await?, 0)
            }
            _ => return Ok(()),
        };
        lock(&self.log).push(asked);
        let refusal = lock(&self.refusals).next();
        let code = refusal.unwrap_or(granted);
        let answer: &[u8] = match granted {
            90 => &[0, code, 0, 0, 0, 0, 0, 0],
            _ => &[5, code, 0, 1, 0, 0, 0, 0, 0, 0],
        };
        if refusal.is_some() {
            return stream.write_all(answer).await;
        }
        let mut far = TcpStream::connect(self.server).await?;
        stream.write_all(answer).await?;
        copy_bidirectional(&mut stream, &mut far).await?;
        Ok(())
    }

    /// Agrees with a client of SOCKS5 on how it says who it is, and returns that.
    async fn let_in(&self, stream: &mut TcpStream) -> io::Result<Option<String>> {
        let methods = counted(stream).await?;
        let method = if self.login.is_some() { 2 } else { 0 };
        if !methods.contains(&method) {
            stream.write_all(&[5, 0xff]).await?;
            return Ok(None);
        }
        stream.write_all(&[5, method]).await?;
        let Some((user, password)) = self.login else {
            return Ok(Some(String::new()));
        };
        let _version = stream.read_u8().await?;
        let told = [counted(stream).await?, counted(stream).await?];
        let is_right = told == [user.as_bytes(), password.as_bytes()];
        stream.write_all(&[1, u8::from(!is_right)]).await?;
        Ok(is_right.then(|| format!("{user}:{password} ")))
    }
}

/// Reads a request of SOCKS5.
async fn five(stream: &mut TcpStream, login: &str) -> io::Result<String> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let peer = match head {
        [5, 1, 0, 1] => Ipv4Addr::from_bits(stream.read_u32().await?).to_string(),
        [5, 1, 0, 3] => text(counted(stream).await?)?,
        [5, 1, 0, 4] => format!("[{}]", Ipv6Addr::from_bits(stream.read_u128().await?)),
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    Ok(format!("5 {login}{peer}:{}", stream.read_u16().await?))
}

/// Reads a request of SOCKS4 or 4a.
async fn four(stream: &mut TcpStream) -> io::Result<String> {
    if stream.read_u8().await? != 1 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let port = stream.read_u16().await?;
    let ip = Ipv4Addr::from_bits(stream.read_u32().await?);
    let user = ended(stream).await?;
    let user = if user.is_empty() { user } else { user + " " };
    Ok(match ip.octets() {
        [0, 0, 0, 1..=255] => format!("4a {user}{}:{port}", ended(stream).await?),
        _ => format!("4 {user}{ip}:{port}"),
    })
}

/// Reads bytes behind their number.
async fn counted(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; stream.read_u8().await?.into()];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// Reads bytes up to a NUL.
async fn ended(stream: &mut TcpStream) -> io::Result<String> {
    let mut bytes = Vec::new();
    loop {
        match stream.read_u8().await? {
            0 => return text(bytes),
            byte => bytes.push(byte),
        }
    }
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(io::Error::other)
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
