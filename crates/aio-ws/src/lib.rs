//! aio-ws.
