//! The content type that a file's name suggests.

use std::path::Path;

/// Returns the type that the extension of `path` stands for, in any case.
pub(super) fn of(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?;
    let is_it = |known: &str| known.eq_ignore_ascii_case(extension);
    let row = TYPES.iter().find(|(_, known)| known.split(' ').any(is_it));
    row.map(|(name, _)| *name)
}

/// What Python's `mimetypes` knows of itself (CPython 3.13), as aiohttp does, and the fonts,
/// archives and documents that come with CPython 3.14. No dependency: they would tell other
/// types than aiohttp, and this is but a list. A compressed file is no type of its own.
#[rustfmt::skip]
const TYPES: &[(&str, &str)] = &[
    ("application/epub+zip", "epub"),
    ("application/json", "json"),
    ("application/manifest+json", "webmanifest"),
    ("application/msword", "doc dot wiz"),
    ("application/n-quads", "nq"),
    ("application/n-triples", "nt"),
    ("application/oda", "oda"),
    ("application/pdf", "pdf"),
    ("application/pkcs7-mime", "p7c"),
    ("application/postscript", "ai eps ps"),
    ("application/trig", "trig"),
    ("application/vnd.apple.mpegurl", "m3u m3u8"),
    ("application/vnd.ms-excel", "xlb xls"),
    ("application/vnd.ms-powerpoint", "pot ppa pps ppt pwz"),
    ("application/vnd.oasis.opendocument.presentation", "odp"),
    ("application/vnd.oasis.opendocument.spreadsheet", "ods"),
    ("application/vnd.oasis.opendocument.text", "odt"),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/wasm", "wasm"),
    ("application/x-7z-compressed", "7z"),
    ("application/x-bcpio", "bcpio"),
    ("application/x-cpio", "cpio"),
    ("application/x-csh", "csh"),
    ("application/x-dvi", "dvi"),
    ("application/x-gtar", "gtar"),
    ("application/x-hdf", "hdf"),
    ("application/x-hdf5", "h5"),
    ("application/x-latex", "latex"),
    ("application/x-mif", "mif"),
    ("application/x-netcdf", "cdf nc"),
    ("application/x-pkcs12", "p12 pfx"),
    ("application/x-pn-realaudio", "ram"),
    ("application/x-python-code", "pyc pyo"),
    ("application/x-sh", "sh"),
    ("application/x-shar", "shar"),
    ("application/x-shockwave-flash", "swf"),
    ("application/x-sv4cpio", "sv4cpio"),
    ("application/x-sv4crc", "sv4crc"),
    ("application/x-tar", "tar"),
    ("application/x-tcl", "tcl"),
    ("application/x-tex", "tex"),
    ("application/x-texinfo", "texi texinfo"),
    ("application/x-troff", "roff t tr"),
    ("application/x-troff-man", "man"),
    ("application/x-troff-me", "me"),
    ("application/x-troff-ms", "ms"),
    ("application/x-ustar", "ustar"),
    ("application/x-wais-source", "src"),
    ("application/xml", "rdf wsdl xpdl xsl"),
    ("application/zip", "zip"),
    ("audio/3gpp", "3gp 3gpp"),
    ("audio/3gpp2", "3g2 3gpp2"),
    ("audio/aac", "aac adts ass loas"),
    ("audio/basic", "au snd"),
    ("audio/flac", "flac"),
    ("audio/mpeg", "mp2 mp3"),
    ("audio/ogg", "oga ogg"),
    ("audio/opus", "opus"),
    ("audio/x-aiff", "aif aifc aiff"),
    ("audio/x-pn-realaudio", "ra"),
    ("audio/x-wav", "wav"),
    ("font/otf", "otf"),
    ("font/ttf", "ttf"),
    ("font/woff", "woff"),
    ("font/woff2", "woff2"),
    ("image/avif", "avif"),
    ("image/bmp", "bmp"),
    ("image/gif", "gif"),
    ("image/heic", "heic"),
    ("image/heif", "heif"),
    ("image/ief", "ief"),
    ("image/jpeg", "jpe jpeg jpg"),
    ("image/png", "png"),
    ("image/svg+xml", "svg"),
    ("image/tiff", "tif tiff"),
    ("image/vnd.microsoft.icon", "ico"),
    ("image/webp", "webp"),
    ("image/x-cmu-raster", "ras"),
    ("image/x-portable-anymap", "pnm"),
    ("image/x-portable-bitmap", "pbm"),
    ("image/x-portable-graymap", "pgm"),
    ("image/x-portable-pixmap", "ppm"),
    ("image/x-rgb", "rgb"),
    ("image/x-xbitmap", "xbm"),
    ("image/x-xpixmap", "xpm"),
    ("image/x-xwindowdump", "xwd"),
    ("message/rfc822", "eml mht mhtml nws"),
    ("text/css", "css"),
    ("text/csv", "csv"),
    ("text/html", "htm html"),
    ("text/javascript", "js mjs"),
    ("text/markdown", "markdown md"),
    ("text/n3", "n3"),
    ("text/plain", "bat c h ksh pl srt txt"),
    ("text/richtext", "rtx"),
    ("text/rtf", "rtf"),
    ("text/tab-separated-values", "tsv"),
    ("text/vtt", "vtt"),
    ("text/x-python", "py"),
    ("text/x-rst", "rst"),
    ("text/x-setext", "etx"),
    ("text/x-sgml", "sgm sgml"),
    ("text/x-vcard", "vcf"),
    ("text/xml", "xml"),
    ("video/matroska", "mkv"),
    ("video/mp4", "mp4"),
    ("video/mpeg", "m1v mpa mpe mpeg mpg"),
    ("video/ogg", "ogv"),
    ("video/quicktime", "mov qt"),
    ("video/webm", "webm"),
    ("video/x-msvideo", "avi"),
    ("video/x-sgi-movie", "movie"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, want: Option<&str>) {
        assert_eq!(of(Path::new(path)), want, "{path:?}");
    }

    // Expected values are those of `mimetypes.guess_type` in CPython 3.13.
    #[test]
    fn the_extension_tells_the_type() {
        check("me.png", Some("image/png"));
        check("/tmp/a.b/ME.JPG", Some("image/jpeg"));
        check("x.txt", Some("text/plain"));
        check("data.json", Some("application/json"));
        check("page.htm", Some("text/html"));
        check("a.js", Some("text/javascript"));
        check("archive.zip", Some("application/zip"));
        check("a.tar", Some("application/x-tar"));
        check("a.gz", None);
        check("a.bin", None);
        check("noextension", None);
        check(".txt", None);
        check("a.", None);
        check("", None);
    }

    #[test]
    fn no_extension_stands_for_two_types() {
        let mut all: Vec<_> = TYPES.iter().flat_map(|(_, row)| row.split(' ')).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
