//! Test harness of aio-client: servers to talk to, and the replayer of recorded scenarios.
//!
//! Two servers. [`http_server::TestServer`] answers requests with a function
//! and is what whole-client tests and the examples use.
//! [`server::ScriptedServer`] plays a script byte by byte and writes down what
//! the client sent; the conformance scenarios in `data/conformance` are made
//! of such scripts, and [`replay`] runs them.

pub mod client;
pub mod compare;
pub mod curl;
pub mod daemon;
pub mod dns_script;
pub mod dns_server;
pub mod events;
pub mod http_server;
pub mod memory;
pub mod netns;
pub mod nginx;
pub mod ports;
pub mod program;
pub mod random;
pub mod real_proxy;
pub mod real_server;
pub mod real_websocket;
pub mod replay;
pub mod scenario;
pub mod script;
pub mod server;
pub mod server_process;
pub mod socks;
pub mod tls;
pub mod tunnel;
pub mod value;
mod wire;
