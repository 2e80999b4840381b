//! Saves jars and loads them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};
use std::time::SystemTime;

use super::sync::Versions;
use super::{CookieFileError, CookieFileProblem, CookieFormat, read_cookies};
use crate::cookie::Cookie;
use crate::domain::Domain;
use crate::jar::CookieJar;

/// More than the largest jar takes up in any format.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// As many links in a row as Linux follows.
const MAX_LINKS: usize = 40;

/// The file that a jar was last loaded from or saved in, and what was in it.
#[derive(Default)]
pub(crate) struct Synced {
    file: PathBuf,
    content: Vec<u8>,
}

impl CookieJar {
    /// Saves the cookies in a file, in aiohttp's JSON; [`load`](Self::load) reads it, as does
    /// Python's aiohttp 3.14.
    ///
    /// A crash at any time leaves the old file whole, or the new one: that is written beside
    /// it, and takes its name when it is safe on the disk. A new file is for its owner alone
    /// (mode 0600), one that was there keeps its mode; a link is followed. Processes that
    /// save take turns; an empty file `.<name>.lock` stays for this. Cookies that have ended
    /// are not saved.
    ///
    /// This waits for the disk; of an async program, another thread should do it.
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
    /// When the file, or one beside it, cannot be written, or when it is no regular file; then
    /// it is as it was.
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
        let saved = Place::lock(path).and_then(|place| self.write(&place, format));
        saved.map_err(|problem| at(path, problem))
    }

    /// Brings in what other processes have done to the file, and saves the cookies; otherwise
    /// as [`save_as`](Self::save_as).
    ///
    /// What the file has got since this jar was last loaded from it or saved in it, the jar gets
    /// too, and it loses what the file has lost; of another file it gets all. Where both have
    /// changed a cookie, or removed it, the jar's change counts: it is the last one. What was
    /// loaded or saved last is remembered for this. A file that is empty, or not there yet,
    /// changes nothing.
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
        let saved = Place::lock(path).and_then(|place| {
            match read_file(&place.file) {
                Ok(theirs) if theirs.is_empty() => {}
                Ok(theirs) => self.bring_in(&theirs, &place.file, format)?,
                Err(CookieFileProblem::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(problem) => return Err(problem),
            }
            self.write(&place, format)
        });
        saved.map_err(|problem| at(path, problem))
    }

    /// Has the cookies of a file in place of all that there are.
    ///
    /// The file may be of any [`CookieFormat`] or, with feature `pickle`, of an aiohttp before
    /// 3.14: see [`read_cookies`]. A jar that takes no cookies from IP addresses
    /// takes none of theirs here; what is for a public suffix is for that host alone.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is larger than 16 MiB, in no known format or damaged;
    /// then the jar is as it was.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<(), CookieFileError> {
        let now = SystemTime::now();
        let loaded = read_file(path.as_ref()).and_then(|bytes| {
            let cookies = self.acceptable(&bytes, now)?;
            let mut synced = self.synced();
            self.replace(cookies, now);
            *synced = Synced::new(path.as_ref(), bytes);
            Ok(())
        });
        loaded.map_err(|problem| at(path.as_ref(), problem))
    }

    fn write(&self, place: &Place, format: CookieFormat) -> Result<(), CookieFileProblem> {
        let mut synced = self.synced();
        let bytes = format.write(&self.cookies(SystemTime::now()));
        place.replace(&bytes)?;
        *synced = Synced::new(&place.file, bytes);
        Ok(())
    }

    /// Takes what others have done to a file that now has this content.
    fn bring_in(
        &self,
        theirs: &[u8],
        file: &Path,
        format: CookieFormat,
    ) -> Result<(), CookieFileProblem> {
        let now = SystemTime::now();
        let base = self.synced().content_of(file).to_vec();
        if base == theirs {
            return Ok(());
        }
        // As the format holds them, or what it does not hold would look like a change.
        let held = |cookies: &[Cookie]| {
            let held = self.acceptable(&format.write(cookies), now);
            held.unwrap_or_default()
        };
        let theirs = held(&self.acceptable(theirs, now)?);
        // It has been read or written before; of a file that was not, it is empty.
        let base = held(&self.acceptable(&base, now).unwrap_or_default());
        let profile = self.options().style.profile;
        self.change(now, |ours| {
            let versions = Versions {
                base: &base,
                ours: &held(ours),
                theirs: &theirs,
            };
            versions.changes(profile)
        });
        Ok(())
    }

    /// Reads what this jar may hold.
    fn acceptable(&self, bytes: &[u8], now: SystemTime) -> Result<Vec<Cookie>, CookieFileProblem> {
        let mut cookies = read_cookies(bytes, now)?;
        let options = self.options();
        // CKY-84: the rules for responses hold for files, as far as they can.
        let of_address = |cookie: &Cookie| cookie.domain().is_some_and(Domain::is_ip);
        cookies.retain(|cookie| options.allow_ip_hosts || !of_address(cookie));
        Ok(cookies.into_iter().map(|one| self.narrowed(one)).collect())
    }

    fn synced(&self) -> MutexGuard<'_, Synced> {
        self.synced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Synced {
    fn new(file: &Path, content: Vec<u8>) -> Self {
        Self {
            file: whole_path(file),
            content,
        }
    }

    fn content_of(&self, file: &Path) -> &[u8] {
        if self.file == whole_path(file) {
            &self.content
        } else {
            &[]
        }
    }
}

/// The one path of a file that is there.
fn whole_path(file: &Path) -> PathBuf {
    fs::canonicalize(file).unwrap_or_else(|_| file.into())
}

fn at(path: &Path, problem: CookieFileProblem) -> CookieFileError {
    CookieFileError {
        path: Some(path.into()),
        problem,
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, CookieFileProblem> {
    let file = File::open(path)?;
    let is_too_large = file.metadata()?.len() > MAX_FILE;
    let mut bytes = Vec::new();
    // Devices have no length, and files may grow.
    let mut file = file.take(MAX_FILE + 1);
    if is_too_large || file.read_to_end(&mut bytes)? as u64 > MAX_FILE {
        return Err(CookieFileProblem::TooLarge { limit: MAX_FILE });
    }
    Ok(bytes)
}

/// A file that nobody else saves meanwhile.
struct Place {
    file: PathBuf,
    /// Where it is written; only who has the lock does this.
    temporary: PathBuf,
    /// Held until it is closed. The file itself has others' eyes on it, which it is taken
    /// from when another gets its name.
    _lock: File,
}

impl Place {
    /// Waits until it is this process's turn to save `path`.
    fn lock(path: &Path) -> Result<Self, CookieFileProblem> {
        let file = behind_links(path);
        let Some(name) = file.file_name().map(|name| name.to_string_lossy()) else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
        };
        let lock = for_owner().open(file.with_file_name(format!(".{name}.lock")))?;
        lock.lock()?;
        Ok(Self {
            temporary: file.with_file_name(format!(".{name}.tmp")),
            file,
            _lock: lock,
        })
    }

    /// Gives the file another content, all at once.
    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let old = match fs::metadata(&self.file) {
            // A device would be gone.
            Ok(old) if !old.is_file() => {
                let reason = "not a regular file";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
            }
            Ok(old) => Some(old),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        // What a process left that was killed. It is not written to: it might be someone
        // else's, or a link.
        match fs::remove_file(&self.temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut temporary = for_owner().create_new(true).open(&self.temporary)?;
        let written = temporary.write_all(bytes).and_then(|()| {
            if let Some(old) = old {
                temporary.set_permissions(old.permissions())?;
            }
            temporary.sync_all()?;
            fs::rename(&self.temporary, &self.file)
        });
        if written.is_err() {
            // It has secrets; the error that is told is the first one.
            drop(fs::remove_file(&self.temporary));
        }
        written?;
        sync_directory(&self.file);
        Ok(())
    }
}

/// Opens a file for writing, or makes one that only its owner can read.
fn for_owner() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// The file that `path` leads to, which need not be there.
fn behind_links(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&path) else {
            break;
        };
        path = path.with_file_name("").join(target);
    }
    path
}

/// Writes to the disk that the file has its name. Systems that cannot do it need it not; the
/// file is whole with either content.
fn sync_directory(file: &Path) {
    let directory = file.parent().filter(|parent| *parent != Path::new(""));
    let directory = File::open(directory.unwrap_or(Path::new(".")));
    if let Err(error) = directory.and_then(|directory| directory.sync_all()) {
        tracing::debug!(%error, "directory of a file of cookies not synced");
    }
}
