//! Pictures as files in the data directory, two for each, spread over 256 folders.
//!
//! A file is written under a temporary name, synced and then renamed, so that it exists completely or not at all,
//! even after a crash.
//!
//! **Invariant:** a path is built only from an [`ImageId`]'s digits.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use super::{
    FORMATS, ImageError, ImageSize, ImageStore, PreparedImage, StoredFormat, StoredImage, VARIANTS, file_name,
};
use crate::domain::{
    ids::{ImageId, ProductId},
    product::Image,
};

/// Stores pictures in files.
#[derive(Debug, Clone)]
pub struct LocalImages {
    root: PathBuf,
}

impl LocalImages {
    /// Stores them under `pictures` in `data_dir`.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self { root: data_dir.join("pictures") }
    }

    /// Calls `visit` with the name and path of each file, in a stable order.
    ///
    /// # Errors
    /// The error of reading a folder, or of `visit`.
    pub fn each_file(&self, visit: &mut dyn FnMut(&str, &Path) -> io::Result<()>) -> io::Result<()> {
        for folder in names_in(&self.root)? {
            let folder = self.root.join(folder);
            for name in names_in(&folder)?.iter().filter(|name| is_whole(name)) {
                visit(name, &folder.join(name))?;
            }
        }
        Ok(())
    }

    fn folder(&self, id: ImageId) -> PathBuf {
        // The last digits vary most, the first ones hardly change.
        self.root.join(&id.to_hex()[22..])
    }

    fn path(&self, id: ImageId, variant: ImageSize, format: StoredFormat) -> PathBuf {
        self.folder(id).join(file_name(id, variant, format))
    }
}

#[async_trait]
impl ImageStore for LocalImages {
    async fn put(&self, _of: ProductId, id: ImageId, picture: PreparedImage) -> Result<Image, ImageError> {
        let (store, format) = (self.clone(), picture.format);
        blocking(move || {
            let folder = store.folder(id);
            fs::create_dir_all(&folder)?;
            // The picture is written last, so that its thumbnail exists once it does.
            write_whole(&store.path(id, ImageSize::Thumbnail, format), &picture.thumbnail)?;
            write_whole(&store.path(id, ImageSize::Full, format), &picture.full)?;
            sync_dir(&folder)?;
            sync_dir(&store.root)
        })
        .await?;
        let served = |variant| format!("/media/{}", file_name(id, variant, format));
        Ok(Image { id, url: served(ImageSize::Full), thumbnail: served(ImageSize::Thumbnail) })
    }

    async fn delete(&self, id: ImageId) -> Result<(), ImageError> {
        let store = self.clone();
        blocking(move || {
            for (format, variant) in FORMATS.iter().flat_map(|format| VARIANTS.map(|variant| (*format, variant))) {
                match fs::remove_file(store.path(id, variant, format)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            Ok(())
        })
        .await
    }

    async fn read(&self, id: ImageId, variant: ImageSize) -> Result<Option<StoredImage>, ImageError> {
        let store = self.clone();
        blocking(move || {
            for format in FORMATS {
                match fs::read(store.path(id, variant, format)) {
                    Ok(bytes) => {
                        // The content of an id never changes.
                        let etag = format!("\"{}-{}\"", file_name(id, variant, format), bytes.len());
                        let content_type = format.content_type();
                        return Ok(Some(StoredImage { bytes: bytes.into(), content_type, etag }));
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(None)
        })
        .await
    }
}

/// The entries of a folder, in order; none if the folder is missing.
fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(vec![]);
        }
        entries => entries?,
    };
    let mut names = vec![];
    for entry in entries {
        // The program's own names are ASCII; other files are ignored.
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether a name is that of a complete picture, and not of a temporary file.
fn is_whole(name: &str) -> bool {
    let known = |id: ImageId| {
        FORMATS.iter().any(|format| VARIANTS.iter().any(|variant| file_name(id, *variant, *format) == name))
    };
    name.get(..24).and_then(|id| id.parse().ok()).is_some_and(known)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, ImageError> {
    let unavailable = |error: &dyn std::fmt::Display| ImageError::Unavailable(error.to_string());
    tokio::task::spawn_blocking(work).await.map_err(|error| unavailable(&error))?.map_err(|error| unavailable(&error))
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_added_extension(format!("{}.part", ImageId::generate()));
    let written = File::create_new(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&beside, path));
    if placed.is_err() {
        // Best effort: the disk may be full, and the temporary file does no harm.
        let _left_over = fs::remove_file(&beside);
    }
    placed
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    struct Dir(PathBuf);

    impl Drop for Dir {
        fn drop(&mut self) {
            let _gone_already = fs::remove_dir_all(&self.0);
        }
    }

    fn dir() -> Dir {
        Dir(std::env::temp_dir().join(format!("microbazaar-pictures-{}", ImageId::generate())))
    }

    fn picture(format: StoredFormat, full: &'static str) -> PreparedImage {
        PreparedImage { format, full: Bytes::from_static(full.as_bytes()), thumbnail: Bytes::from_static(b"small") }
    }

    #[tokio::test]
    async fn a_picture_is_read_back_until_it_is_deleted() {
        let (dir, id) = (dir(), ImageId::generate());
        let store = LocalImages::new(&dir.0);
        assert_eq!(store.read(id, ImageSize::Full).await.unwrap(), None);
        let image = store.put(ProductId::generate(), id, picture(StoredFormat::Png, "large")).await.unwrap();
        assert_eq!(image, Image { id, url: format!("/media/{id}.png"), thumbnail: format!("/media/{id}.thumb.png") });
        let full = store.read(id, ImageSize::Full).await.unwrap().unwrap();
        assert_eq!((&full.bytes[..], full.content_type), (&b"large"[..], "image/png"));
        let small = store.read(id, ImageSize::Thumbnail).await.unwrap().unwrap();
        assert_eq!(&small.bytes[..], b"small");
        assert_ne!(small.etag, full.etag);
        store.put(ProductId::generate(), id, picture(StoredFormat::Png, "again")).await.unwrap();
        assert_eq!(fs::read_dir(store.folder(id)).unwrap().count(), 2, "nothing is left beside");
        store.delete(id).await.unwrap();
        store.delete(id).await.unwrap();
        assert_eq!(store.read(id, ImageSize::Thumbnail).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_disk_that_fails_is_an_error() {
        let dir = dir();
        fs::write(&dir.0, "a file where the folder should be").unwrap();
        let (store, picture) = (LocalImages::new(&dir.0), picture(StoredFormat::Jpeg, "x"));
        let put = store.put(ProductId::generate(), ImageId::generate(), picture).await;
        assert!(matches!(put, Err(ImageError::Unavailable(_))));
        fs::remove_file(&dir.0).unwrap();
    }
}
