//! A simulated ImageKit, over HTTP: it uploads, lists, deletes and serves files, and refuses calls that its API does
//! not know.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_multipart::Multipart;
use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::{Method, StatusCode, header},
    web,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

pub const PRIVATE_KEY: &str = "private_hush-hush+of/imagekit";

/// The behaviour of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Work,
    /// It responds with this status, and does nothing.
    Answer(u16),
    /// 429, with a delay in milliseconds.
    TooMany(u64),
    /// It works, after this delay.
    Slow(Duration),
    /// It breaks off during its response, and has done nothing.
    Cut,
    /// It does the work, and breaks off during its response.
    DoAndCut,
    /// It does the work, and responds after this delay, if the client still waits.
    DoAndWait(Duration),
}

/// A stored file.
#[derive(Debug, Clone)]
pub struct File {
    pub id: String,
    pub path: String,
    pub bytes: Bytes,
    /// How often it was uploaded.
    pub uploads: u32,
}

#[derive(Debug)]
struct Inner {
    manner: Manner,
    key: String,
    files: Vec<File>,
    made: u32,
    calls: Vec<String>,
    /// Calls that the API does not know.
    wrong: Vec<String>,
}

/// A running simulation.
pub struct ImageKit {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    server: Option<ServerHandle>,
}

impl ImageKit {
    pub fn start() -> Self {
        let inner = Inner {
            manner: Manner::Work,
            key: PRIVATE_KEY.to_owned(),
            files: vec![],
            made: 0,
            calls: vec![],
            wrong: vec![],
        };
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut imagekit = Self { address: any, inner: Arc::new(Mutex::new(inner)), server: None };
        imagekit.come_back();
        imagekit
    }

    /// Starts listening, at its earlier address if it had one.
    pub fn come_back(&mut self) {
        let inner = web::Data::from(Arc::clone(&self.inner));
        let server = HttpServer::new(move || App::new().app_data(inner.clone()).default_service(web::to(take)))
            .workers(1)
            .disable_signals()
            .bind(self.address)
            .unwrap();
        self.address = server.addrs()[0];
        let server = server.run();
        self.server = Some(server.handle());
        actix_rt::spawn(server);
    }

    /// Stops listening.
    pub async fn go_away(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop(false).await;
        }
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL endpoint of pictures.
    pub fn endpoint(&self) -> String {
        format!("{}/shop", self.base())
    }

    pub fn be(&self, manner: Manner) {
        self.inner.lock().unwrap().manner = manner;
    }

    /// Changes the accepted key.
    pub fn know(&self, key: &str) {
        key.clone_into(&mut self.inner.lock().unwrap().key);
    }

    pub fn files(&self) -> Vec<File> {
        self.inner.lock().unwrap().files.clone()
    }

    /// The received calls, as method and path, oldest first.
    pub fn calls(&self) -> Vec<String> {
        self.inner.lock().unwrap().calls.clone()
    }

    /// Asserts that every call was in the API.
    pub fn check(&self) {
        assert_eq!(self.inner.lock().unwrap().wrong, Vec::<String>::new());
    }
}

type Shared = web::Data<Mutex<Inner>>;

async fn take(req: HttpRequest, payload: web::Payload, inner: Shared) -> HttpResponse {
    let path = req.path().to_owned();
    if path.starts_with("/shop/") {
        return show(&path["/shop".len()..], &inner.lock().unwrap());
    }
    let (manner, key) = {
        let mut inner = inner.lock().unwrap();
        inner.calls.push(format!("{} {path}", req.method()));
        (inner.manner, inner.key.clone())
    };
    // Read to its end, whatever the response: a client may send before it reads.
    let form = match req.method() {
        &Method::POST => Some(read(Multipart::new(req.headers(), payload.into_inner())).await),
        _ => None,
    };
    let expected = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{key}:"));
    let given = req.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given != Some(&format!("Basic {expected}")) {
        // A careless server: it repeats what it received.
        let message = format!("Your account cannot be authenticated with {given:?}, {PRIVATE_KEY}");
        return HttpResponse::Forbidden().json(json!({"message": message}));
    }
    match manner {
        Manner::Answer(status) => {
            let status = StatusCode::from_u16(status).unwrap();
            let message = format!("no, {PRIVATE_KEY}\u{1b}[31m");
            return HttpResponse::build(status).json(json!({"message": message}));
        }
        Manner::TooMany(millis) => {
            return HttpResponse::TooManyRequests().insert_header(("X-RateLimit-Reset", millis.to_string())).finish();
        }
        Manner::Slow(pause) => tokio::time::sleep(pause).await,
        Manner::Cut => return cut(),
        Manner::Work | Manner::DoAndCut | Manner::DoAndWait(_) => {}
    }
    let answer = {
        let mut inner = inner.lock().unwrap();
        answer(&req, form, &mut inner).unwrap_or_else(|wrong| {
            inner.wrong.push(format!("{} {path}: {wrong}", req.method()));
            HttpResponse::BadRequest().json(json!({"message": wrong}))
        })
    };
    match manner {
        Manner::DoAndCut => cut(),
        Manner::DoAndWait(pause) => {
            tokio::time::sleep(pause).await;
            answer
        }
        _ => answer,
    }
}

/// Declares a longer body than it sends.
fn cut() -> HttpResponse {
    let parts = [Ok(Bytes::from_static(b"{\"fileId\":")), Err(std::io::Error::other("cut"))];
    HttpResponse::Ok().no_chunking(1_000).streaming(stream::iter(parts))
}

type Form = Vec<(String, Option<String>, Bytes)>;

async fn read(mut parts: Multipart) -> Form {
    let mut form = vec![];
    while let Some(Ok(mut part)) = parts.next().await {
        let name = part.name().unwrap_or_default().to_owned();
        let kind = part.content_type().map(ToString::to_string);
        let mut bytes = vec![];
        while let Some(Ok(chunk)) = part.next().await {
            bytes.extend_from_slice(&chunk);
        }
        form.push((name, kind, Bytes::from(bytes)));
    }
    form
}

fn answer(req: &HttpRequest, form: Option<Form>, inner: &mut Inner) -> Result<HttpResponse, String> {
    match (req.method(), req.path()) {
        (&Method::POST, "/api/v1/files/upload") => upload(&form.unwrap_or_default(), inner),
        (&Method::GET, "/v1/files") => list(req.query_string(), inner),
        (&Method::DELETE, path) if path.starts_with("/v1/files/") => {
            let before = inner.files.len();
            inner.files.retain(|file| format!("/v1/files/{}", file.id) != path);
            let gone = inner.files.len() < before;
            Ok(if gone { HttpResponse::NoContent() } else { HttpResponse::NotFound() }.finish())
        }
        _ => Err("there is no such call".to_owned()),
    }
}

fn upload(form: &Form, inner: &mut Inner) -> Result<HttpResponse, String> {
    let field = |name: &str| {
        let found = form.iter().find(|(field, ..)| field == name).ok_or_else(|| format!("{name} is missing"));
        found.map(|(_, _, bytes)| String::from_utf8_lossy(bytes).into_owned())
    };
    let (name, folder) = (field("fileName")?, field("folder")?);
    let (unique, overwrite) = (field("useUniqueFileName")?, field("overwriteFile")?);
    if (unique.as_str(), overwrite.as_str()) != ("false", "true") || name.contains('/') {
        return Err(format!("{name} with {unique} and {overwrite}"));
    }
    let (_, kind, bytes) = form.iter().find(|(field, ..)| field == "file").ok_or("file is missing")?;
    let drawn = image::guess_format(bytes).map_err(|error| error.to_string())?;
    if kind.as_deref() != Some(drawn.to_mime_type()) {
        return Err(format!("{kind:?} is {drawn:?}"));
    }
    let path = format!("{folder}/{name}");
    let id = match inner.files.iter_mut().find(|file| file.path == path) {
        Some(file) => {
            file.bytes = bytes.clone();
            file.uploads += 1;
            file.id.clone()
        }
        None => {
            inner.made += 1;
            let id = format!("file{:020}", inner.made);
            inner.files.push(File { id: id.clone(), path: path.clone(), bytes: bytes.clone(), uploads: 1 });
            id
        }
    };
    Ok(HttpResponse::Ok().json(json!({"fileId": id, "name": name, "filePath": path, "size": bytes.len(),
        "url": format!("https://ik.example/other{path}"), "fileType": "image"})))
}

fn list(query: &str, inner: &Inner) -> Result<HttpResponse, String> {
    let query = web::Query::<Vec<(String, String)>>::from_query(query).map_err(|error| error.to_string())?;
    let (mut folder, mut begins, mut limit) = (String::new(), String::new(), usize::MAX);
    for (name, value) in query.iter() {
        match name.as_str() {
            "path" => folder.clone_from(value),
            "limit" => limit = value.parse().map_err(|_| "limit is no number")?,
            "searchQuery" => {
                let name = value.strip_prefix("name : \"").and_then(|rest| rest.strip_suffix('"'));
                name.ok_or_else(|| format!("searchQuery {value}"))?.clone_into(&mut begins);
            }
            other => return Err(format!("there is no parameter {other}")),
        }
    }
    let found = inner.files.iter().filter(|file| file.path.starts_with(&format!("{folder}{begins}"))).take(limit);
    let output = |file: &File| {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        json!({"type": "file", "fileId": file.id, "name": name, "filePath": file.path})
    };
    Ok(HttpResponse::Ok().json(found.map(output).collect::<Vec<Value>>()))
}

fn show(path: &str, inner: &Inner) -> HttpResponse {
    let (small, path) = match path.strip_prefix("/tr:w-400,h-400,c-at_max") {
        Some(rest) => (true, rest),
        None => (false, path),
    };
    match inner.files.iter().find(|file| file.path == path) {
        Some(file) => HttpResponse::Ok().insert_header(("x-small", small.to_string())).body(file.bytes.clone()),
        None => HttpResponse::NotFound().finish(),
    }
}
