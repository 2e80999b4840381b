//! What holds for any bytes: shared by the tests with random ones and the fuzz targets.

pub(crate) mod inflate;
