//! Tests through public interfaces: of the harness itself, and of the whole client.

mod cancellation;
mod errors;
mod http_server;
mod promises;
mod scripted_server;
mod seams;
mod session;
