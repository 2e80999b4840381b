//! Splits names at their public suffix: the domain under which anyone can have a name.

/// Returns the part of `name` that someone registered: its public suffix and one label more.
///
/// A suffix has none, nor has what has an empty label. A dot at the end stays.
pub(crate) fn registrable(name: &str) -> Option<&str> {
    let labels = name.strip_suffix('.').unwrap_or(name);
    if labels.split('.').any(str::is_empty) {
        return None;
    }
    // The list's rule for what it does not name: the last label is the suffix.
    let suffix = listed(labels).or_else(|| labels.rsplit('.').next())?;
    let before = labels.strip_suffix(suffix)?.strip_suffix('.')?;
    name.get(before.rfind('.').map_or(0, |dot| dot + 1)..)
}

/// Tells whether `domain`, which has `host` in it, has other people's hosts, too: it is above
/// what `host`'s owner registered, though the list may not name it.
pub(crate) fn is_shared(domain: &str, host: &str) -> bool {
    let labels = host.strip_suffix('.').unwrap_or(host);
    listed(labels).is_some() && domain.len() < registrable(labels).unwrap_or(labels).len()
}

/// Tells whether the list names `name` itself as a suffix.
pub(crate) fn is_listed(name: &str) -> bool {
    let labels = name.strip_suffix('.').unwrap_or(name);
    listed(labels) == Some(labels)
}

/// Returns the suffix of a name, if the list has a rule for it.
#[cfg(feature = "public-suffix")]
fn listed(labels: &str) -> Option<&str> {
    let found = psl::Psl::find(&psl::List, labels.rsplit('.').map(str::as_bytes));
    found.typ?;
    labels.get(labels.len().checked_sub(found.len)?..)
}

#[cfg(not(feature = "public-suffix"))]
fn listed(_: &str) -> Option<&str> {
    None
}
