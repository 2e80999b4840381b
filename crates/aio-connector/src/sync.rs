//! What the pool shares between threads; a model of it brings its own.

pub(crate) use std::sync::Mutex;
pub(crate) use std::sync::MutexGuard;
pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
