//! aio-client.
