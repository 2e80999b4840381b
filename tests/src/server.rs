//! A scripted TCP server: plays its steps byte by byte and records what the client sent.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use bytes::BytesMut;
use serde_json::{Map, Value, json};
use sha1::{Digest, Sha1};
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::events::Events;
use crate::script::{ServerScript, Step};
use crate::wire::{Framing, Inflater, RequestHead, find, frame_record};

/// How long one step may take before it counts as hung.
const STEP_LIMIT: Duration = Duration::from_secs(4);

/// A port of 127.0.0.1 that nobody serves yet.
#[derive(Debug)]
pub struct BoundServer {
    socket: Socket,
    address: SocketAddr,
}

/// A server that plays its script until it is dropped.
#[derive(Debug)]
pub struct ScriptedServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    role: Role,
}

#[derive(Debug)]
enum Role {
    Accepting(JoinHandle<()>),
    /// Keeps the port: nobody listens, or nobody accepts.
    Silent(#[expect(dead_code, reason = "held open until the scenario is over")] Vec<Socket>),
}

#[derive(Debug, Default)]
struct Shared {
    /// The records of each accepted connection.
    log: Mutex<Vec<Vec<Value>>>,
    scripts: Mutex<Vec<JoinHandle<()>>>,
    /// Connections whose script is over stay open until the scenario is.
    open: Mutex<Vec<TcpStream>>,
    /// The connection of [`ScriptedServer::finish`], not to be recorded.
    last: Mutex<Option<SocketAddr>>,
}

impl BoundServer {
    /// Takes a free port.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn bind() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.set_nonblocking(true)?;
        let address = socket
            .local_addr()?
            .as_socket()
            .ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { socket, address })
    }

    /// Returns the port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Starts to play the script; needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn start(self, script: ServerScript, events: &Events) -> io::Result<ScriptedServer> {
        let Self { socket, address } = self;
        let shared = Arc::new(Shared::default());
        let role = match script {
            ServerScript::Refuse => Role::Silent(vec![socket]),
            ServerScript::Blackhole => Role::Silent(fill_queue(socket, address)?),
            ServerScript::Connections(scripts) => {
                socket.listen(128)?;
                let listener = TcpListener::from_std(socket.into())?;
                Role::Accepting(tokio::spawn(accept(
                    listener,
                    scripts,
                    shared.clone(),
                    events.clone(),
                )))
            }
        };
        Ok(ScriptedServer {
            shared,
            address,
            role,
        })
    }
}

impl ScriptedServer {
    /// Waits until all connections made so far are accepted and their scripts at their end.
    ///
    /// Scripts that are not at their end by `deadline` are stopped; returns how many.
    pub async fn finish(&mut self, deadline: Instant) -> usize {
        let Role::Accepting(acceptor) = &mut self.role else {
            return 0;
        };
        // Connections are accepted in order: when this one is, all before it are.
        if self.shared.make_last_connection(self.address).await.is_ok() {
            _ = timeout_at(deadline, &mut *acceptor).await;
        }
        acceptor.abort();
        let scripts = std::mem::take(&mut *lock(&self.shared.scripts));
        let mut stopped = 0;
        for mut script in scripts {
            if timeout_at(deadline, &mut script).await.is_err() {
                script.abort();
                stopped += 1;
            }
        }
        stopped
    }

    /// Returns what was recorded: for each connection on which anything was, its records.
    #[must_use]
    pub fn wire(&self) -> Vec<Vec<Value>> {
        let log = lock(&self.shared.log);
        log.iter()
            .filter(|records| !records.is_empty())
            .cloned()
            .collect()
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        if let Role::Accepting(acceptor) = &self.role {
            acceptor.abort();
        }
        for script in lock(&self.shared.scripts).drain(..) {
            script.abort();
        }
        lock(&self.shared.open).clear();
    }
}

impl Shared {
    async fn make_last_connection(&self, server: SocketAddr) -> io::Result<()> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        *lock(&self.last) = Some(socket.local_addr()?);
        socket.connect(server).await?;
        Ok(())
    }
}

/// Lets the queue of connections run full, so that the next to connect get no answer.
fn fill_queue(socket: Socket, address: SocketAddr) -> io::Result<Vec<Socket>> {
    socket.listen(0)?;
    let mut held = vec![socket];
    for _ in 0..3 {
        let filler = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        filler.set_nonblocking(true)?;
        // On loopback the attempt is over when this returns; that it is not
        // answered (EINPROGRESS) is what it is for.
        _ = filler.connect(&address.into());
        held.push(filler);
    }
    Ok(held)
}

async fn accept(
    listener: TcpListener,
    scripts: Vec<Vec<Step>>,
    shared: Arc<Shared>,
    events: Events,
) {
    let mut scripts = scripts.into_iter();
    while let Ok((stream, peer)) = listener.accept().await {
        if *lock(&shared.last) == Some(peer) {
            return;
        }
        let index = {
            let mut log = lock(&shared.log);
            log.push(Vec::new());
            log.len() - 1
        };
        let Some(script) = scripts.next() else {
            lock(&shared.log)[index].push(json!({"unexpected": true}));
            continue;
        };
        // Else a second small write would wait for the acknowledgement of the first.
        _ = stream.set_nodelay(true);
        let connection = Connection {
            stream,
            inbox: Mutex::default(),
            arrived: Notify::new(),
            shared: shared.clone(),
            index,
            events: events.clone(),
        };
        lock(&shared.scripts).push(tokio::spawn(connection.run(script)));
    }
}

struct Connection {
    stream: TcpStream,
    inbox: Mutex<Inbox>,
    arrived: Notify,
    shared: Arc<Shared>,
    index: usize,
    events: Events,
}

/// What has arrived and no step has taken yet.
#[derive(Default)]
struct Inbox {
    bytes: BytesMut,
    ended: bool,
}

/// What a script keeps between its steps.
struct Progress {
    head: RequestHead,
    /// Where in the log the last request stands.
    request: usize,
    inflater: Inflater,
}

/// How a script ends before its last step.
enum End {
    /// The connection stays open.
    Stop,
    Close,
    Reset,
}

/// The client will send no more.
struct Eof;

impl Connection {
    async fn run(self, script: Vec<Step>) {
        let mut progress = Progress {
            head: RequestHead::default(),
            request: 0,
            inflater: Inflater::new(),
        };
        let outcome = tokio::select! {
            outcome = self.play(&script, &mut progress) => outcome,
            never = self.collect() => never,
        };
        match outcome {
            Ok(()) | Err(End::Stop) => lock(&self.shared.open).push(self.stream),
            // With unread input the system would send a reset in the place of an end.
            Err(End::Close) => self.receive_available(),
            Err(End::Reset) => _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)),
        }
    }

    async fn play(&self, steps: &[Step], progress: &mut Progress) -> Result<(), End> {
        for step in steps {
            if let Step::Repeat { times, steps } = step {
                for _ in 0..*times {
                    Box::pin(self.play(steps, progress)).await?;
                }
                continue;
            }
            if let Step::Sleep(duration) = step {
                sleep(*duration).await;
                continue;
            }
            let Ok(outcome) = timeout(STEP_LIMIT, self.step(step, progress)).await else {
                self.record(json!({"timeout": format!("{step:?}")}));
                return Err(End::Stop);
            };
            outcome?;
        }
        Ok(())
    }

    async fn step(&self, step: &Step, progress: &mut Progress) -> Result<(), End> {
        match step {
            Step::ReadHead => self.read_head(progress).await?,
            Step::ReadBody => self.read_body(progress).await?,
            Step::Send(text) => {
                let text = text.replace("{ws_accept}", &ws_accept(&progress.head));
                self.write(&latin1(&text)).await;
            }
            Step::SendBytes(bytes) => self.write(bytes).await,
            Step::Close => return Err(End::Close),
            Step::HalfClose => _ = SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write),
            Step::Reset => return Err(End::Reset),
            Step::WaitClientClose(limit) => {
                let closed = timeout(*limit, self.discard()).await.is_ok();
                self.record(json!({"closed": closed}));
            }
            Step::Signal(name) => self.events.signal(name),
            Step::Wait(name) => self.events.wait(name).await,
            Step::WsAccept(headers) => self.accept_websocket(&progress.head, headers).await,
            Step::WsExpect { fresh, json } => self.read_frame(progress, *fresh, *json).await?,
            Step::Sleep(_) | Step::Repeat { .. } => unreachable!("play() takes these"),
        }
        Ok(())
    }

    async fn read_head(&self, progress: &mut Progress) -> Result<(), End> {
        let Ok(head) = self.take_through(b"\r\n\r\n").await else {
            if !lock(&self.inbox).bytes.is_empty() {
                self.record(json!({"partial": true}));
            }
            return Err(End::Stop);
        };
        progress.head = RequestHead::parse(&head);
        progress.request = self.record(progress.head.record().into());
        Ok(())
    }

    async fn read_body(&self, progress: &Progress) -> Result<(), End> {
        let framing = match progress.head.framing() {
            Ok(framing) => framing,
            Err(broken) => return Err(self.broken_request(progress, broken)),
        };
        let (name, body) = match framing {
            Framing::None => {
                self.amend(progress, |record| {
                    _ = record.insert("framing".into(), "none".into())
                });
                return Ok(());
            }
            Framing::Length(length) => (
                "length",
                self.take(length).await.map(|body| Ok(body.to_vec())),
            ),
            Framing::Chunked => ("chunked", self.read_chunked().await),
        };
        self.amend(progress, |record| {
            _ = record.insert("framing".into(), name.into())
        });
        match body {
            Ok(Ok(body)) => {
                self.amend(progress, |record| progress.head.record_body(record, body));
                Ok(())
            }
            Ok(Err(broken)) => Err(self.broken_request(progress, broken)),
            Err(Eof) => {
                self.amend(progress, |record| {
                    _ = record.insert("incomplete".into(), true.into())
                });
                Err(End::Stop)
            }
        }
    }

    /// Marks a request as one that no good client sends; matches no recording.
    fn broken_request(&self, progress: &Progress, why: String) -> End {
        self.amend(progress, |record| {
            _ = record.insert("broken".into(), why.into())
        });
        End::Stop
    }

    async fn read_chunked(&self) -> Result<Result<Vec<u8>, String>, Eof> {
        let mut body = Vec::new();
        loop {
            let line = self.take_through(b"\r\n").await?;
            let line = String::from_utf8_lossy(&line);
            let size = line.split(';').next().unwrap_or_default().trim();
            let Ok(size) = usize::from_str_radix(size, 16) else {
                return Ok(Err(format!("chunk size {line:?}")));
            };
            if size == 0 {
                while self.take_through(b"\r\n").await? != b"\r\n".as_slice() {}
                return Ok(Ok(body));
            }
            body.extend(self.take(size).await?);
            if self.take(2).await? != b"\r\n".as_slice() {
                return Ok(Err("no line end behind a chunk".into()));
            }
        }
    }

    async fn read_frame(
        &self,
        progress: &mut Progress,
        fresh: bool,
        json: bool,
    ) -> Result<(), End> {
        let Ok((first, masked, payload)) = self.take_frame().await else {
            self.record(json!({"frame": "eof"}));
            return Err(End::Stop);
        };
        if fresh {
            progress.inflater = Inflater::new();
        }
        self.record(frame_record(
            first,
            masked,
            payload,
            &mut progress.inflater,
            json,
        ));
        Ok(())
    }

    async fn take_frame(&self) -> Result<(u8, bool, Vec<u8>), Eof> {
        let [first, second] = self.take_array().await?;
        let length = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes(self.take_array().await?)),
            127 => u64::from_be_bytes(self.take_array().await?),
            length => u64::from(length),
        };
        let masked = second & 0x80 != 0;
        let mask = if masked {
            self.take_array().await?
        } else {
            [0; 4]
        };
        let length = usize::try_from(length).map_err(|_| Eof)?;
        let mut payload = self.take(length).await?.to_vec();
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        Ok((first, masked, payload))
    }

    async fn accept_websocket(&self, request: &RequestHead, headers: &[(String, String)]) {
        let mut head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n",
            ws_accept(request)
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.write(&latin1(&head)).await;
    }

    /// Appends to the log of this connection; returns where it stands.
    fn record(&self, record: Value) -> usize {
        let mut log = lock(&self.shared.log);
        let records = &mut log[self.index];
        records.push(record);
        records.len() - 1
    }

    fn amend(&self, progress: &Progress, change: impl FnOnce(&mut Map<String, Value>)) {
        let mut log = lock(&self.shared.log);
        if let Some(Value::Object(record)) = log[self.index].get_mut(progress.request) {
            change(record);
        }
    }

    /// Takes whatever arrives into the inbox, so that no client has to wait for a read step.
    async fn collect<T>(&self) -> T {
        loop {
            if self.stream.readable().await.is_ok() {
                self.receive_available();
            }
            if lock(&self.inbox).ended {
                return std::future::pending().await;
            }
        }
    }

    fn receive_available(&self) {
        let mut inbox = lock(&self.inbox);
        loop {
            inbox.bytes.reserve(64 * 1024);
            match self.stream.try_read_buf(&mut inbox.bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // A reset ends the input like any other end.
                Ok(0) | Err(_) => {
                    inbox.ended = true;
                    break;
                }
                Ok(_) => {}
            }
        }
        self.arrived.notify_one();
    }

    /// Waits for `wanted` to find in the inbox how many bytes to take.
    async fn take_when(&self, wanted: impl Fn(&[u8]) -> Option<usize>) -> Result<BytesMut, Eof> {
        loop {
            {
                let mut inbox = lock(&self.inbox);
                if let Some(length) = wanted(&inbox.bytes) {
                    return Ok(inbox.bytes.split_to(length));
                }
                if inbox.ended {
                    return Err(Eof);
                }
            }
            self.arrived.notified().await;
        }
    }

    async fn take(&self, length: usize) -> Result<BytesMut, Eof> {
        self.take_when(|arrived| (arrived.len() >= length).then_some(length))
            .await
    }

    async fn take_array<const N: usize>(&self) -> Result<[u8; N], Eof> {
        let taken = self.take(N).await?;
        Ok(taken.first_chunk().copied().expect("take(N) gives N bytes"))
    }

    async fn take_through(&self, end: &[u8]) -> Result<BytesMut, Eof> {
        self.take_when(|arrived| Some(find(arrived, end)? + end.len()))
            .await
    }

    async fn discard(&self) {
        while self
            .take_when(|arrived| (!arrived.is_empty()).then_some(arrived.len()))
            .await
            .is_ok()
        {}
    }

    /// Writes; that the client is gone is not the script's affair.
    async fn write(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.stream.try_write(bytes) {
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.stream.writable().await.is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }
}

fn ws_accept(request: &RequestHead) -> String {
    let mut hash = Sha1::new();
    hash.update(request.get("sec-websocket-key").unwrap_or_default());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    base64::engine::general_purpose::STANDARD.encode(hash.finalize())
}

fn latin1(text: &str) -> Vec<u8> {
    let byte = |c: char| u8::try_from(c).unwrap_or(b'?');
    text.chars().map(byte).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
