//! The addresses of the provider that the gateway passes on, and what it watches for at each. Anything else is refused: a
//! path is matched as it stands, without decoding or tidying it up.

use axum::http::Method;

const MIB: u64 = 1024 * 1024;

/// An address that is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub watch: Watch,
    /// The provider's own limit for a request's body.
    pub max_body_bytes: u64,
}

/// What an answer is read for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watch {
    /// A call: it becomes an event.
    Call,
    /// Batches as objects, which say where their results are.
    Batches,
    /// A batch that is created: it is the caller's.
    NewBatch,
    /// The results of a batch: each becomes an event, once.
    BatchResults {
        batch_id: String,
    },
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    Path,
    Method,
}

/// Every address: its path, its methods (HEAD goes where GET goes) and the limit of its body in MiB.
const PATHS: [(&str, &[Method], u64); 17] = [
    ("/v1/messages", &[Method::POST], 32),
    ("/v1/messages/count_tokens", &[Method::POST], 32),
    ("/v1/messages/batches", &[Method::GET, Method::POST], 256),
    ("/v1/messages/batches/{id}", &[Method::GET, Method::DELETE], 1),
    ("/v1/messages/batches/{id}/cancel", &[Method::POST], 1),
    ("/v1/messages/batches/{id}/results", &[Method::GET], 1),
    ("/v1/models", &[Method::GET], 1),
    ("/v1/models/{id}", &[Method::GET], 1),
    ("/v1/files", &[Method::GET, Method::POST], 500),
    ("/v1/files/{id}", &[Method::GET, Method::DELETE], 1),
    ("/v1/files/{id}/content", &[Method::GET], 1),
    ("/v1/skills", &[Method::GET, Method::POST], 32),
    ("/v1/skills/{id}", &[Method::GET, Method::DELETE], 1),
    ("/v1/skills/{id}/versions", &[Method::GET, Method::POST], 32),
    ("/v1/skills/{id}/versions/{id}", &[Method::GET, Method::DELETE], 1),
    ("/v1/skills/{id}/versions/{id}/content", &[Method::GET], 1),
    ("/api/hello", &[Method::GET], 1),
];

impl Endpoint {
    pub fn find(method: &Method, path: &str) -> Result<Self, Unknown> {
        let (pattern, methods, limit_mib) =
            PATHS.iter().find(|(pattern, ..)| matches(pattern, path)).ok_or(Unknown::Path)?;
        let method = if method == Method::HEAD { &Method::GET } else { method };
        if !methods.contains(method) {
            return Err(Unknown::Method);
        }
        Ok(Self { watch: watch_at(method, pattern, path), max_body_bytes: limit_mib * MIB })
    }
}

fn watch_at(method: &Method, pattern: &str, path: &str) -> Watch {
    match pattern {
        "/v1/messages" => Watch::Call,
        "/v1/messages/batches/{id}/results" => {
            Watch::BatchResults { batch_id: path.split('/').nth(4).unwrap_or_default().to_owned() }
        }
        "/v1/messages/batches" if method == Method::POST => Watch::NewBatch,
        batches if batches.starts_with("/v1/messages/batches") => Watch::Batches,
        _ => Watch::Nothing,
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some("{id}"), Some(id)) if is_id(id) => {}
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return false,
        }
    }
}

/// Whether it may stand in the place of an id.
pub fn is_id(segment: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@".contains(&byte);
    !segment.is_empty() && segment.bytes().all(is_plain) && !segment.bytes().all(|byte| byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(method: Method, path: &str) -> Result<Watch, Unknown> {
        Endpoint::find(&method, path).map(|endpoint| endpoint.watch)
    }

    #[test]
    fn only_messages_are_calls() {
        assert_eq!(watch(Method::POST, "/v1/messages"), Ok(Watch::Call));
        assert_eq!(watch(Method::POST, "/v1/messages/count_tokens"), Ok(Watch::Nothing));
        assert_eq!(watch(Method::GET, "/v1/models"), Ok(Watch::Nothing));
        assert_eq!(watch(Method::HEAD, "/api/hello"), Ok(Watch::Nothing));
        assert_eq!(watch(Method::POST, "/v1/messages/batches"), Ok(Watch::NewBatch));
        assert_eq!(watch(Method::GET, "/v1/messages/batches"), Ok(Watch::Batches));
        assert_eq!(watch(Method::POST, "/v1/messages/batches/msgbatch_1/cancel"), Ok(Watch::Batches));
        let results = Watch::BatchResults { batch_id: "msgbatch_1".into() };
        assert_eq!(watch(Method::GET, "/v1/messages/batches/msgbatch_1/results"), Ok(results));
    }

    #[test]
    fn nothing_beside_the_list_passes() {
        for path in [
            "/v1",
            "/v1/",
            "/v1/messages/",
            "//v1/messages",
            "/v1/messages/..",
            "/v1/models/../messages",
            "/v1/models/..",
            "/v1/models/",
            "/v1/models/a%2fb",
            "/v1/messages%2f",
            "/V1/messages",
            "/v1/organizations/api_keys",
            "/v1/complete",
        ] {
            assert_eq!(watch(Method::GET, path), Err(Unknown::Path), "{path}");
        }
        assert_eq!(watch(Method::GET, "/v1/messages"), Err(Unknown::Method));
        assert_eq!(watch(Method::CONNECT, "/v1/models"), Err(Unknown::Method));
    }

    #[test]
    fn bodies_have_the_providers_limits() {
        let limit = |path| Endpoint::find(&Method::POST, path).map(|endpoint| endpoint.max_body_bytes);
        assert_eq!(limit("/v1/messages"), Ok(33_554_432));
        assert_eq!(limit("/v1/messages/batches"), Ok(268_435_456));
    }
}
