//! Saves jars and loads them.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};
use std::time::SystemTime;

use super::place::{self, Place};
use super::sync::{self, Synced, Versions};
use super::{CookieFileError, CookieFileProblem, CookieFormat, read_cookies};
use crate::cookie::Cookie;
use crate::domain::Domain;
use crate::jar::CookieJar;

impl CookieJar {
    /// Saves the cookies in a file, in aiohttp's JSON; [`load`](Self::load) reads it, as does
    /// Python's aiohttp 3.14.
    ///
    /// A crash at any time leaves the old file whole, or the new one: that is written beside
    /// it, and takes its name when it is safe on the disk. A new file is for its owner alone
    /// (mode 0600); one that was there keeps its mode, its owner and its group, and where these
    /// cannot be kept, the new one is for who saves it alone. Access lists are not kept. A
    /// symbolic link is followed; another hard link has the old file. Cookies that have ended
    /// are not saved.
    ///
    /// Processes and threads that save the same file take turns: they lock a file
    /// `.<name>.lock` beside it, which is there while it is saved (on Windows it stays). This
    /// waits for the others without a limit. Where that cannot be locked, as on some network
    /// file systems, on Android, or when it is another user's, the jar is saved without a turn,
    /// whole all the same. A file `.<name>.<numbers>.tmp` that a killed process leaves is removed
    /// by the next one that has a turn.
    ///
    /// This waits for the disk, and for others; in async code it belongs in another thread:
    /// `tokio::task::spawn_blocking(move || jar.save(path))`.
    ///
    /// ```
    /// # let directory = std::env::temp_dir().join(format!("aio-cookies-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// # let path = directory.join("cookies.json");
    /// use aio_cookies::CookieJar;
    ///
    /// let jar = CookieJar::new();
    /// jar.add("tracing", "off")?;
    /// jar.save(&path)?;
    ///
    /// let again = CookieJar::new();
    /// again.load(&path)?;
    /// assert_eq!(again.len(), 1);
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the file, or one beside it, cannot be written, when it is no regular file, or
    /// when it would be larger than 256 MiB or have more than 524,288 cookies; then it is as it
    /// was. Only when the disk fails as
    /// it is told to keep the new name, it is the new file that is there.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), CookieFileError> {
        self.save_as(path, CookieFormat::default())
    }

    /// Saves the cookies in a file of another format; as [`save`](Self::save).
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save).
    pub fn save_as(
        &self,
        path: impl AsRef<Path>,
        format: CookieFormat,
    ) -> Result<(), CookieFileError> {
        let path = path.as_ref();
        let place = Place::wait(path).map_err(CookieFileProblem::from);
        let saved = place.and_then(|place| self.write(&place, format, Vec::new()));
        saved.map_err(|problem| at(path, problem))
    }

    /// Brings in what other processes have done to the file, and saves the cookies; otherwise
    /// as [`save_as`](Self::save_as).
    ///
    /// What the file has got since this jar was last loaded from it or saved in it, the jar gets
    /// too, and it loses what the file has lost; of another file it gets all. Where both have
    /// changed a cookie, or removed it, the jar's change counts: it is the last one. What was
    /// last loaded from a file or saved in it is remembered for this, for eight files. A file
    /// that is empty, or not there yet, changes nothing.
    ///
    /// Cookies of the file that the jar takes none of, those of IP addresses or those that it
    /// has no room for, stay in the file.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save) and [`load`](Self::load); of a damaged file, the jar is as it
    /// was, too.
    pub fn save_merged(
        &self,
        path: impl AsRef<Path>,
        format: CookieFormat,
    ) -> Result<(), CookieFileError> {
        let path = path.as_ref();
        let place = Place::wait(path).map_err(CookieFileProblem::from);
        let saved = place.and_then(|place| {
            let others = match place::read(place.file()) {
                Ok(theirs) if theirs.is_empty() => Vec::new(),
                Ok(theirs) => self.bring_in(theirs, place.file(), format)?,
                Err(CookieFileProblem::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                    Vec::new()
                }
                Err(problem) => return Err(problem),
            };
            self.write(&place, format, others)
        });
        saved.map_err(|problem| at(path, problem))
    }

    /// Has the cookies of a file in place of all that there are.
    ///
    /// The file may be of any [`CookieFormat`] or, with feature `pickle`, of an aiohttp before
    /// 3.14: see [`read_cookies`]. A jar that takes no cookies from IP addresses
    /// takes none of theirs here; what is for a public suffix is for that host alone.
    ///
    /// This waits for the disk, as [`save`](Self::save) does, but for nobody who is saving: the
    /// file is whole at any time.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is no regular file, larger than 256 MiB, in no known
    /// format or damaged, or has more than 524,288 cookies; then the jar is as it was.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<(), CookieFileError> {
        let (path, now) = (path.as_ref(), SystemTime::now());
        let found = place::read(path).and_then(|bytes| super::read(&bytes, now));
        let (format, cookies) = found.map_err(|problem| at(path, problem))?;
        let (cookies, _) = self.divided(cookies);
        self.replace(cookies.iter().cloned(), now);
        let profile = self.options().style.profile;
        let (held, _) = sync::common(cookies, &self.cookies(now), profile);
        let file = whole_path(path);
        self.synced().remember(file, format, held);
        Ok(())
    }

    /// Saves the jar's cookies, and `others` that are in the file only.
    fn write(
        &self,
        place: &Place,
        format: CookieFormat,
        others: Vec<Cookie>,
    ) -> Result<(), CookieFileProblem> {
        let mut all = others;
        let count = all.len();
        // Last, so that they count if the jar has got one of the others meanwhile.
        all.extend(self.cookies(SystemTime::now()));
        CookieFileProblem::check_count(all.len())?;
        let bytes = format.write(&all);
        place::check_length(bytes.len() as u64)?;
        place.replace(&bytes)?;
        let (ours, file) = (all.split_off(count), whole_path(place.file()));
        self.synced().remember(file, format, ours);
        Ok(())
    }

    /// Takes what others have done to a file that now has this content; returns what the jar
    /// does not take of it.
    fn bring_in(
        &self,
        content: Vec<u8>,
        file: &Path,
        format: CookieFormat,
    ) -> Result<Vec<Cookie>, CookieFileProblem> {
        let now = SystemTime::now();
        let (found, theirs) = super::read(&content, now)?;
        // A file may be large, and so is each copy of what is in it.
        drop(content);
        let (theirs, mut others) = self.divided(theirs);
        let (file, ours) = (whole_path(file), self.cookies(now));
        let (before, base) = self.synced().with(&file).unwrap_or((found, Vec::new()));
        // As each of the formats holds them, or what one does not hold would look like a change.
        let formats = HashSet::from([before, found, format]);
        let held = |cookies: &[Cookie]| {
            let mut held = cookies.to_vec();
            for format in &formats {
                let content = format.write(&mem::take(&mut held));
                held = read_cookies(&content, now).unwrap_or_default();
            }
            self.divided(held).0
        };
        let profile = self.options().style.profile;
        let changes = {
            let versions = Versions {
                base: &held(&base),
                ours: &held(&ours),
                theirs: &held(&theirs),
            };
            versions.changes(&ours, profile)
        };
        let refused = self.change(changes, now);
        // Now, as it may be that the jar cannot be saved.
        let (_, known) = sync::common(theirs, &refused, profile);
        self.synced().remember(file, found, known);
        for cookie in &refused {
            tracing::debug!(name = %cookie.name(), "no room for a cookie of a file");
        }
        others.extend(refused);
        Ok(others)
    }

    /// Returns which cookies of a file this jar may hold, and as what, and the others.
    fn divided(&self, cookies: Vec<Cookie>) -> (Vec<Cookie>, Vec<Cookie>) {
        // CKY-84: the rules for responses hold for files, as far as they can.
        let is_of_address = |cookie: &Cookie| cookie.domain().is_some_and(Domain::is_ip);
        let (own, others): (Vec<_>, Vec<_>) = cookies
            .into_iter()
            .partition(|cookie| self.options().allow_ip_hosts || !is_of_address(cookie));
        let own = own.into_iter().map(|cookie| self.narrowed(cookie));
        (own.collect(), others)
    }

    fn synced(&self) -> MutexGuard<'_, Synced> {
        self.synced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one path of a file that is there.
fn whole_path(file: &Path) -> PathBuf {
    fs::canonicalize(file).unwrap_or_else(|_| file.into())
}

fn at(path: &Path, problem: CookieFileProblem) -> CookieFileError {
    CookieFileError {
        path: path.into(),
        problem,
    }
}
