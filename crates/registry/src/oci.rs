//! Pulling: the cache where it is enough, the registry where it is not, and no byte unchecked.

use bytes::Bytes;
use lattice_core::{ImageRef, OciRef};
use tracing::debug;

use crate::{
    Artifact, FetchError, Kind, Offline, Source,
    artifact::digest_of,
    fetch::{Shared, off_thread},
    file::not_an_artifact,
    manifest::{self, Layer, Read},
    session::{Access, Session},
};

const LATEST: &str = "latest";

/// The reference with the tag that an absent one means, if it may be used at all.
///
/// # Errors
/// `LatestRefused`.
pub(crate) fn fixed(image: &OciRef, allow_latest: bool) -> Result<OciRef, FetchError> {
    if image.digest.is_some() {
        return Ok(image.clone());
    }
    let refused = |given| FetchError::LatestRefused { image: image.to_string(), given };
    match image.tag.as_deref() {
        None if !allow_latest => Err(refused("no tag")),
        Some(LATEST) if !allow_latest => Err(refused("the tag latest")),
        None => Ok(OciRef { tag: Some(LATEST.to_owned()), ..image.clone() }),
        Some(_) => Ok(image.clone()),
    }
}

/// The artifact of `image`, which has a tag or a digest.
pub(crate) async fn fetch(shared: &Shared, image: &OciRef, offline: Offline) -> Result<Artifact, FetchError> {
    let pull =
        Pull { shared, session: Session::new(&shared.client, &shared.config, image, Access::Pull), image };
    // A digest means the same for ever, so nobody needs to be asked.
    if let Some(digest) = &image.digest
        && let Some(artifact) = pull.ask_cache(digest, Source::Cache).await?
    {
        return Ok(artifact);
    }
    let timeout = shared.config.timeout;
    let online = match tokio::time::timeout(timeout, pull.ask_registry()).await {
        Ok(outcome) => outcome,
        Err(_) => Err(pull.session.timeout(timeout)),
    };
    match online {
        Err(error) if error.is_retryable() && offline == Offline::UseCache => {
            match pull.last_known(&error).await? {
                Some(artifact) => Ok(artifact),
                None => Err(error),
            }
        }
        outcome => outcome,
    }
}

struct Pull<'a> {
    shared: &'a Shared,
    session: Session<'a>,
    image: &'a OciRef,
}

impl Pull<'_> {
    async fn ask_registry(&self) -> Result<Artifact, FetchError> {
        let wanted = self.image.digest.as_deref();
        let tag_or_digest = wanted.or(self.image.tag.as_deref()).unwrap_or(LATEST);
        let (digest, text) = self.manifest(tag_or_digest, wanted).await?;
        let mut texts = vec![(digest.clone(), text.clone())];
        let layer = match manifest::read(self.session.image(), &text)? {
            Read::Layer(layer) => layer,
            Read::Manifest(inner) => {
                let (inner, text) = self.manifest(&inner, Some(&inner)).await?;
                texts.push((inner, text.clone()));
                match manifest::read(self.session.image(), &text)? {
                    Read::Layer(layer) => layer,
                    Read::Manifest(_) => {
                        let reason = "it is a list of lists".to_owned();
                        return Err(FetchError::BadManifest {
                            image: self.session.image().to_owned(),
                            reason,
                        });
                    }
                }
            }
        };
        let (bytes, source) = self.layer(&layer).await?;
        let artifact = self.artifact(digest, &layer, bytes, source)?;
        self.remember(&artifact, texts).await?;
        Ok(artifact)
    }

    /// The manifest's digest and text. The digest is that of the text, whatever the registry says; where it says another,
    /// or another was wanted, nothing is used.
    async fn manifest(&self, name: &str, wanted: Option<&str>) -> Result<(String, Bytes), FetchError> {
        let what = format!("the manifest of {}", self.session.image());
        let path = format!("manifests/{name}");
        let (headers, text) =
            self.session.get(&path, &manifest::accept(), &what, manifest::MANIFEST_BYTES_MAX).await?;
        let actual = digest_of(&text);
        let said = headers.get("docker-content-digest").and_then(|value| value.to_str().ok());
        let said = said.filter(|said| said.starts_with("sha256:"));
        for expected in [wanted, said].into_iter().flatten() {
            if expected != actual {
                return Err(self.mismatch("manifest", expected, actual));
            }
        }
        Ok((actual, text))
    }

    async fn layer(&self, layer: &Layer) -> Result<(Bytes, Source), FetchError> {
        let bytes_max = self.shared.config.artifact_bytes_max;
        if layer.size > bytes_max {
            return Err(FetchError::TooLarge { what: self.session.image().to_owned(), bytes_max });
        }
        if let Some(bytes) = self.cached(&layer.digest, bytes_max).await? {
            return Ok((bytes, Source::Cache));
        }
        debug!(image = self.session.image(), digest = layer.digest, "downloading");
        let path = format!("blobs/{}", layer.digest);
        // More than the manifest promised could not have the promised digest.
        let (_, bytes) = self.session.get(&path, "*/*", self.session.image(), layer.size).await?;
        let actual = digest_of(&bytes);
        if actual != layer.digest {
            return Err(self.mismatch("layer", &layer.digest, actual));
        }
        Ok((bytes, Source::Registry))
    }

    fn artifact(
        &self,
        manifest_digest: String,
        layer: &Layer,
        bytes: Bytes,
        source: Source,
    ) -> Result<Artifact, FetchError> {
        let sniffed = Kind::sniff(&bytes);
        let kind = match (layer.kind, sniffed) {
            (None, None) => return Err(manifest::unsupported(self.session.image(), &layer.media_type)),
            (None, Some(kind)) => kind,
            (Some(said), Some(is)) if said == is => said,
            _ => return Err(not_an_artifact(self.session.image(), &bytes)),
        };
        let resolved = OciRef { digest: Some(manifest_digest.clone()), ..self.image.clone() };
        Ok(Artifact {
            bytes,
            digest: layer.digest.clone(),
            manifest_digest: Some(manifest_digest),
            kind,
            resolved: ImageRef::Oci(resolved),
            source,
        })
    }

    /// All of it from the cache, or nothing.
    async fn ask_cache(&self, digest: &str, source: Source) -> Result<Option<Artifact>, FetchError> {
        let mut name = digest.to_owned();
        for _ in 0..2 {
            let Some(text) = self.cached(&name, manifest::MANIFEST_BYTES_MAX).await? else { return Ok(None) };
            match manifest::read(self.session.image(), &text) {
                Ok(Read::Manifest(inner)) => name = inner,
                Ok(Read::Layer(layer)) => {
                    let bytes = self.cached(&layer.digest, self.shared.config.artifact_bytes_max).await?;
                    let artifact = bytes.map(|bytes| self.artifact(digest.to_owned(), &layer, bytes, source));
                    return artifact.transpose();
                }
                Err(_) => return Ok(None),
            }
        }
        Ok(None)
    }

    /// What the tag last meant, while `error` keeps the registry from saying what it means now.
    async fn last_known(&self, error: &FetchError) -> Result<Option<Artifact>, FetchError> {
        let Some(cache) = self.shared.cache.clone() else { return Ok(None) };
        let image = self.image.to_string();
        match off_thread(move || cache.meaning(&image)).await? {
            Some(digest) => {
                let source = Source::CacheUnconfirmed { reason: error.to_string() };
                self.ask_cache(&digest, source).await
            }
            None => Ok(None),
        }
    }

    async fn cached(&self, digest: &str, bytes_max: u64) -> Result<Option<Bytes>, FetchError> {
        let Some(cache) = self.shared.cache.clone() else { return Ok(None) };
        let digest = digest.to_owned();
        off_thread(move || cache.blob(&digest, bytes_max)).await
    }

    async fn remember(&self, artifact: &Artifact, manifests: Vec<(String, Bytes)>) -> Result<(), FetchError> {
        let Some(cache) = self.shared.cache.clone() else { return Ok(()) };
        let fresh = (artifact.source == Source::Registry).then(|| artifact.bytes.clone());
        let (digest, image) = (artifact.digest.clone(), self.image.to_string());
        let meaning = artifact.manifest_digest.clone();
        off_thread(move || {
            if let Some(bytes) = fresh {
                cache.keep(&digest, &bytes);
            }
            for (digest, text) in manifests {
                cache.keep(&digest, &text);
            }
            if let Some(meaning) = meaning {
                cache.remember(&image, &meaning);
            }
        })
        .await
    }

    fn mismatch(&self, part: &'static str, expected: &str, actual: String) -> FetchError {
        let (image, expected) = (self.session.image().to_owned(), expected.to_owned());
        FetchError::DigestMismatch { image, part, expected, actual }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_is_refused_unless_allowed() {
        let image = |text: &str| match text.parse() {
            Ok(ImageRef::Oci(image)) => image,
            other => panic!("{text}: {other:?}"),
        };
        let digest = digest_of(b"");
        for (text, allowed) in [("r.io/a:1", true), ("r.io/a", false), ("r.io/a:latest", false)] {
            assert_eq!(fixed(&image(text), false).is_ok(), allowed, "{text}");
            assert!(fixed(&image(text), true).is_ok(), "{text}");
        }
        assert!(fixed(&image(&format!("r.io/a@{digest}")), false).is_ok());
        assert_eq!(fixed(&image("r.io/a"), true).unwrap().tag.as_deref(), Some("latest"));
        let error = fixed(&image("r.io/a"), false).unwrap_err();
        assert_eq!(error.to_string(), "r.io/a names no fixed version (no tag)");
        assert!(error.remedy().contains("--allow-latest"));
    }
}
