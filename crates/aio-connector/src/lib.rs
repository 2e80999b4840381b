//! aio-connector.
