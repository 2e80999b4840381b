//! Tests through public interfaces: of the harness itself, and of the whole client.

mod http_server;
mod scripted_server;
