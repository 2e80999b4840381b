//! Tells which request paths a cookie's path covers (RFC 6265 5.1.4).

/// Returns the path of a cookie that came without a `Path`: the directory of the
/// response's path.
///
/// `path` is the path of the request as sent, without a query.
///
/// ```
/// use aio_cookies::default_path;
///
/// assert_eq!(default_path("/shop/cart"), "/shop");
/// assert_eq!(default_path("/cart"), "/");
/// ```
pub fn default_path(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some((directory, _)) if directory.starts_with('/') => directory,
        _ => "/",
    }
}

/// Tells whether a cookie with the path `cookie_path` is sent to `request_path`.
///
/// Both are compared as they are written, in their escapes and their case.
///
/// ```
/// use aio_cookies::path_match;
///
/// assert!(path_match("/shop/cart", "/shop"));
/// assert!(path_match("/shop/cart", "/shop/"));
/// assert!(!path_match("/shopping", "/shop"));
/// assert!(!path_match("/shop", "/shop/"));
/// ```
pub fn path_match(request_path: &str, cookie_path: &str) -> bool {
    match request_path.strip_prefix(cookie_path) {
        Some(rest) => rest.is_empty() || rest.starts_with('/') || cookie_path.ends_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_default(path: &str, want: &str) {
        assert_eq!(default_path(path), want, "{path:?}");
    }

    #[track_caller]
    fn check_match(request_path: &str, cookie_path: &str, want: bool) {
        let matches = path_match(request_path, cookie_path);
        assert_eq!(matches, want, "{request_path:?} {cookie_path:?}");
    }

    #[test]
    fn default_path_is_the_directory() {
        check_default("/a/b/c", "/a/b");
        check_default("/a/b/", "/a/b");
        check_default("/a", "/");
        check_default("/", "/");
        check_default("//a", "/");
        check_default("/ä/b", "/ä");
    }

    #[test]
    fn default_path_of_no_path_is_the_root() {
        check_default("", "/");
        check_default("a", "/");
        check_default("a/b", "/");
        check_default("*", "/");
    }

    #[test]
    fn a_path_matches_itself_and_what_is_below() {
        check_match("/", "/", true);
        check_match("/a", "/", true);
        check_match("/a", "/a", true);
        check_match("/a/", "/a", true);
        check_match("/a/b", "/a", true);
        check_match("/a/b", "/a/", true);
        check_match("/a/", "/a/", true);
    }

    #[test]
    fn a_path_matches_nothing_beside_or_above() {
        check_match("/", "/a", false);
        check_match("/ab", "/a", false);
        check_match("/a", "/a/", false);
        check_match("/A/b", "/a", false);
        check_match("/a%2Fb", "/a", false);
        check_match("", "/", false);
    }
}
