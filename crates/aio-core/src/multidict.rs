//! An ordered map whose keys may repeat.

/// An ordered, case-sensitive map in which a key may stand more than once.
///
/// For query parameters and forms, where order and repetition mean something.
///
/// ```
/// use aio_core::MultiDict;
///
/// let mut form = MultiDict::from([("tag", "red"), ("name", "Ada")]);
/// form.add("tag", "blue");
/// assert_eq!(form.get("tag"), Some(&"red"));
/// assert_eq!(form.get_all("tag").collect::<Vec<_>>(), [&"red", &"blue"]);
/// form.set("tag", "green");
/// assert_eq!(form.iter().collect::<Vec<_>>(), [("tag", &"green"), ("name", &"Ada")]);
/// ```
// A form has a handful of fields: a scan beats a hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MultiDict<V> {
    pairs: Vec<(String, V)>,
}

impl<V> MultiDict<V> {
    /// Makes an empty map.
    pub const fn new() -> Self {
        Self { pairs: Vec::new() }
    }

    /// Appends a pair, whatever the key has already.
    pub fn add(&mut self, key: impl Into<String>, value: V) {
        self.pairs.push((key.into(), value));
    }

    /// Puts `value` in place of all values of `key`: where the first stood, else at the end.
    pub fn set(&mut self, key: impl Into<String>, value: V) {
        let key = key.into();
        let Some(at) = self.pairs.iter().position(|(name, _)| *name == key) else {
            return self.pairs.push((key, value));
        };
        let tail = self.pairs.split_off(at);
        self.pairs
            .extend(tail.into_iter().filter(|(name, _)| *name != key));
        self.pairs.insert(at, (key, value));
    }

    /// Returns the first value of `key`.
    pub fn get(&self, key: &str) -> Option<&V> {
        self.get_all(key).next()
    }

    /// Returns all values of `key`, in order.
    pub fn get_all(&self, key: &str) -> impl Iterator<Item = &V> {
        self.pairs
            .iter()
            .filter(move |(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// Takes all pairs of `key` out and returns their values, in order.
    pub fn remove(&mut self, key: &str) -> Vec<V> {
        self.pairs
            .extract_if(.., |(name, _)| name == key)
            .map(|(_, value)| value)
            .collect()
    }

    /// Says whether `key` has a value.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Returns the number of pairs.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Says whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Returns all pairs, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &V)> {
        self.pairs.iter().map(|(key, value)| (key.as_str(), value))
    }
}

impl<V> Default for MultiDict<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Into<String>, V> Extend<(K, V)> for MultiDict<V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        self.pairs
            .extend(pairs.into_iter().map(|(key, value)| (key.into(), value)));
    }
}

impl<K: Into<String>, V> FromIterator<(K, V)> for MultiDict<V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut dict = Self::new();
        dict.extend(pairs);
        dict
    }
}

impl<K: Into<String>, V, const N: usize> From<[(K, V); N]> for MultiDict<V> {
    fn from(pairs: [(K, V); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<V> IntoIterator for MultiDict<V> {
    type Item = (String, V);
    type IntoIter = std::vec::IntoIter<(String, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.pairs.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(dict: &MultiDict<u8>, want: &[(&str, &u8)]) {
        assert_eq!(dict.iter().collect::<Vec<_>>(), want);
    }

    #[test]
    fn order_and_repetition_are_kept() {
        let mut dict = MultiDict::from([("a", 1), ("b", 2), ("a", 3)]);
        dict.extend([("A", 4)]);
        check(&dict, &[("a", &1), ("b", &2), ("a", &3), ("A", &4)]);
        assert_eq!(
            (dict.get("a"), dict.get("c"), dict.len()),
            (Some(&1), None, 4)
        );
    }

    #[test]
    fn set_replaces_all_values_in_place() {
        let mut dict = MultiDict::from([("x", 0), ("a", 1), ("b", 2), ("a", 3)]);
        dict.set("a", 9);
        dict.set("c", 5);
        check(&dict, &[("x", &0), ("a", &9), ("b", &2), ("c", &5)]);
    }

    #[test]
    fn remove_takes_all_values() {
        let mut dict = MultiDict::from([("a", 1), ("b", 2), ("a", 3)]);
        assert_eq!(dict.remove("a"), [1, 3]);
        assert_eq!(dict.remove("a"), []);
        check(&dict, &[("b", &2)]);
    }
}
