//! What a request says of itself, read while its bytes pass: model, stream, `max_tokens`, `metadata.user_id`. Everything
//! else, the prompt above all, is skipped and never in memory as a value.

use serde_json::Value;

/// A name or value longer than this is none of ours.
pub const MAX_VALUE_BYTES: usize = 4 * 1024;

/// The fields of a Messages request that matter here; those that have not passed yet are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestFields {
    pub model: Option<String>,
    pub is_stream: bool,
    pub max_tokens: Option<u64>,
    /// `metadata.user_id`.
    pub user_id: Option<String>,
}

/// Walks through one JSON object in any pieces. Of broken JSON it makes something or nothing, but never trouble.
#[derive(Debug, Default)]
pub struct RequestScan {
    fields: RequestFields,
    /// Open objects and arrays.
    depth: usize,
    is_in_metadata: bool,
    is_in_string: bool,
    is_escaped: bool,
    /// The next string is a key of an object that we read.
    expects_key: bool,
    keeps: Keeps,
    kept: Vec<u8>,
    /// The field whose value comes next.
    field: Option<Field>,
}

/// What is being copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Keeps {
    #[default]
    Nothing,
    Key,
    Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Model,
    Stream,
    MaxTokens,
    Metadata,
    UserId,
}

impl RequestScan {
    pub fn fields(&self) -> &RequestFields {
        &self.fields
    }

    /// Takes the next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while let Some(&byte) = bytes.first() {
            if self.is_in_string {
                bytes = self.read_string(bytes);
            } else {
                self.read_structure(byte);
                bytes = &bytes[1..];
            }
        }
    }

    /// Reads on to the end of a string, or as far as there are bytes, and returns the rest.
    fn read_string<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if std::mem::take(&mut self.is_escaped) {
            self.keep(&bytes[..1]);
            return &bytes[1..];
        }
        let Some(at) = memchr::memchr2(b'"', b'\\', bytes) else {
            self.keep(bytes);
            return &[];
        };
        self.keep(&bytes[..=at]);
        match bytes[at] {
            b'\\' => self.is_escaped = true,
            _ => self.end_string(),
        }
        &bytes[at + 1..]
    }

    fn read_structure(&mut self, byte: u8) {
        match byte {
            b'"' => self.begin_string(),
            b'{' | b'[' => self.open(byte == b'{'),
            b'}' | b']' => self.close(),
            b',' if self.is_watched() => {
                self.end_literal();
                self.expects_key = true;
            }
            b':' if self.is_watched() => self.expects_key = false,
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' => {}
            literal => self.keep_literal(literal),
        }
    }

    /// Whether we are in the request itself or in its `metadata`, and not deeper.
    fn is_watched(&self) -> bool {
        self.depth == 1 || self.depth == 2 && self.is_in_metadata
    }

    fn begin_string(&mut self) {
        self.is_in_string = true;
        if self.is_watched() {
            self.keeps = match (self.expects_key, self.field) {
                (true, _) => Keeps::Key,
                (false, Some(_)) => Keeps::Value,
                (false, None) => Keeps::Nothing,
            };
            self.kept.clear();
            self.keep(b"\"");
        }
    }

    fn end_string(&mut self) {
        self.is_in_string = false;
        match std::mem::take(&mut self.keeps) {
            Keeps::Nothing => {}
            Keeps::Key => self.begin_field(),
            Keeps::Value => self.take_value(),
        }
    }

    /// Of two fields of one name the last counts, whatever its value is.
    fn begin_field(&mut self) {
        self.field = serde_json::from_slice(&self.kept).ok().and_then(|key| self.field_named(key));
        match self.field {
            Some(Field::Model) => self.fields.model = None,
            Some(Field::Stream) => self.fields.is_stream = false,
            Some(Field::MaxTokens) => self.fields.max_tokens = None,
            Some(Field::Metadata | Field::UserId) => self.fields.user_id = None,
            None => {}
        }
    }

    fn field_named(&self, key: String) -> Option<Field> {
        match (self.depth, key.as_str()) {
            (1, "model") => Some(Field::Model),
            (1, "stream") => Some(Field::Stream),
            (1, "max_tokens") => Some(Field::MaxTokens),
            (1, "metadata") => Some(Field::Metadata),
            (2, "user_id") => Some(Field::UserId),
            _ => None,
        }
    }

    fn open(&mut self, is_object: bool) {
        self.depth += 1;
        match self.depth {
            1 => self.expects_key = is_object,
            2 if self.field == Some(Field::Metadata) && is_object => {
                self.is_in_metadata = true;
                self.expects_key = true;
            }
            _ => {}
        }
        self.field = None;
    }

    fn close(&mut self) {
        if self.is_watched() {
            self.end_literal();
        }
        self.depth = self.depth.saturating_sub(1);
        if self.depth == 1 {
            self.is_in_metadata = false;
            self.expects_key = false;
        }
    }

    fn keep_literal(&mut self, byte: u8) {
        if self.field.is_some() && self.is_watched() && !self.expects_key {
            if self.keeps == Keeps::Nothing {
                self.kept.clear();
                self.keeps = Keeps::Value;
            }
            self.keep(&[byte]);
        }
    }

    fn end_literal(&mut self) {
        if std::mem::take(&mut self.keeps) == Keeps::Value {
            self.take_value();
        }
        self.field = None;
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.keeps == Keeps::Nothing {
            return;
        }
        if self.kept.len() + bytes.len() > MAX_VALUE_BYTES {
            self.keeps = Keeps::Nothing;
            self.field = None;
            self.kept = Vec::new();
        } else {
            self.kept.extend_from_slice(bytes);
        }
    }

    fn take_value(&mut self) {
        let Ok(value) = serde_json::from_slice::<Value>(&self.kept) else { return };
        let text = || value.as_str().map(str::to_owned);
        match self.field.take() {
            Some(Field::Model) => self.fields.model = text(),
            Some(Field::Stream) => self.fields.is_stream = value == Value::Bool(true),
            Some(Field::MaxTokens) => self.fields.max_tokens = value.as_u64(),
            Some(Field::UserId) => self.fields.user_id = text(),
            Some(Field::Metadata) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn scan(pieces: &[&[u8]]) -> RequestFields {
        let mut scan = RequestScan::default();
        for piece in pieces {
            scan.push(piece);
        }
        scan.fields
    }

    fn request() -> String {
        json!({
            "model": "claude-opus-5", "max_tokens": 1024, "stream": true,
            "system": [{"type": "text", "text": "model: \"stream\": {\\ \u{65e5}"}],
            "messages": [{"role": "user", "content": {"model": "not this", "metadata": {"user_id": "nor this"}}}],
            "metadata": {"other": [1, {"user_id": "no"}], "user_id": "{\"session_id\":\"s-1\"}"},
            "tools": []
        })
        .to_string()
    }

    fn expected() -> RequestFields {
        RequestFields {
            model: Some("claude-opus-5".into()),
            is_stream: true,
            max_tokens: Some(1024),
            user_id: Some("{\"session_id\":\"s-1\"}".into()),
        }
    }

    #[test]
    fn the_fields_are_found_at_every_split_point() {
        let request = request();
        for split in 0..=request.len() {
            let (one, two) = request.as_bytes().split_at(split);
            assert_eq!(scan(&[one, two]), expected(), "split at {split}");
        }
    }

    #[test]
    fn keys_may_be_escaped_and_the_last_of_two_counts() {
        let text = r#"{ "mod\u0065l" : "one" , "model":"two","max_tokens" : 7 }"#;
        let fields = scan(&[text.as_bytes()]);
        assert_eq!((fields.model.as_deref(), fields.max_tokens), (Some("two"), Some(7)));
        let text = r#"{"model":"one","stream":true,"metadata":{"user_id":"x"},"model":{},"stream":[1],"metadata":{}}"#;
        assert_eq!(scan(&[text.as_bytes()]), RequestFields::default(), "also where it is of no use");
    }

    #[test]
    fn wrong_types_and_other_shapes_tell_nothing() {
        for text in [
            r#"{"model":7,"stream":"true","max_tokens":-1,"metadata":"x"}"#,
            r#"{"model":["claude"],"metadata":[{"user_id":"x"}],"max_tokens":1.5,"stream":{}}"#,
            r#"[{"model":"x"}]"#,
            r#""model""#,
            "",
            "]]]}}}:::",
            "\u{1f}\u{8b}",
        ] {
            assert_eq!(scan(&[text.as_bytes()]), RequestFields::default(), "{text}");
        }
    }

    #[test]
    fn a_value_that_is_too_long_is_left_out_and_the_next_one_found() {
        let text = json!({"model": "x".repeat(5_000), "max_tokens": 3}).to_string();
        let fields = scan(&[text.as_bytes()]);
        assert_eq!((fields.model, fields.max_tokens), (None, Some(3)));
    }

    #[test]
    fn the_prompt_is_never_held() {
        let mut scan = RequestScan::default();
        scan.push(json!({"messages": "x".repeat(100_000), "model": "m"}).to_string().as_bytes());
        assert_eq!(scan.fields.model.as_deref(), Some("m"));
        assert!(scan.kept.capacity() < 64, "{}", scan.kept.capacity());
    }

    /// JSON with our names in all places and more than once.
    fn any_json() -> impl Strategy<Value = String> {
        let names = ["model", "mod\\u0065l", "stream", "max_tokens", "metadata", "user_id", "x"];
        let words =
            ["true", "false", "null", "7", "-1", "1.5", "18446744073709551616", r#""a""#, r#""\"}\\""#, r#""model""#];
        let leaf = prop::sample::select(words.to_vec()).prop_map(str::to_owned);
        leaf.prop_recursive(4, 40, 8, move |value| {
            let field = (prop::sample::select(names.to_vec()), value.clone())
                .prop_map(|(name, value)| format!("\"{name}\" :{value}"));
            prop_oneof![
                3 => prop::collection::vec(field, 0..8).prop_map(|fields| format!("{{{}}}", fields.join(", "))),
                1 => prop::collection::vec(value, 0..4).prop_map(|values| format!("[{}]", values.join(","))),
            ]
        })
    }

    fn fields_of(request: &Value) -> RequestFields {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        RequestFields {
            model: text(&request["model"]),
            is_stream: request["stream"] == true,
            max_tokens: request["max_tokens"].as_u64(),
            user_id: text(&request["metadata"]["user_id"]),
        }
    }

    proptest! {
        #[test]
        fn it_finds_what_a_whole_parser_finds(request in any_json(), piece in 1_usize..9) {
            let pieces: Vec<&[u8]> = request.as_bytes().chunks(piece).collect();
            let expected = fields_of(&serde_json::from_str(&request).unwrap());
            prop_assert_eq!(scan(&pieces), expected, "{}", request);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0_usize..200) {
            let request = request();
            let _ = scan(&[&request.as_bytes()[..at], &bytes, &request.as_bytes()[at..]]);
        }

        #[test]
        fn it_agrees_with_a_whole_parser(
            model in "\\PC{0,20}", prompt in "\\PC{0,40}", stream: bool, max_tokens: u64, cut in 0_usize..60,
        ) {
            let text = json!({"a": [prompt, {"b": prompt}], "model": model, "stream": stream, "z": null, "max_tokens": max_tokens});
            let text = text.to_string();
            let (one, two) = text.as_bytes().split_at(cut.min(text.len()));
            let fields = RequestFields { model: Some(model), is_stream: stream, max_tokens: Some(max_tokens), user_id: None };
            prop_assert_eq!(scan(&[one, two]), fields);
        }
    }
}
