//! Tests through public interfaces: of the harness itself, and of the whole client.

mod cancellation;
mod closing;
mod errors;
mod expect;
mod forms;
mod http_server;
mod in_time;
mod nginx;
mod peer;
mod pool;
mod promises;
mod reading;
mod redirects;
mod retries;
mod scripted_server;
mod seams;
mod secrets;
mod servers;
mod session;
mod stale;
mod timeouts;
mod tls;
mod tls_idle;
mod uploads;
