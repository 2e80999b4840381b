//! aio-cookies.
