//! The data of the load: requests, users and their tokens, products, words.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};
use microbazaar::{
    actors::tokens::Tokens,
    domain::{Timestamp, ids::UserId, user::Role},
};
use serde_json::Value;

use super::{
    Run,
    client::Connection,
    process::{Process, microbazaar},
};

/// The secret that both this tool and the server sign tokens with.
pub const SECRET: &str = "a-secret-for-benchmarks-only-0123456789";
/// How many users there are.
const USERS: usize = 1_000;
/// How many of them are registered, and log in.
const REGISTERED: usize = 8;
const PASSWORD: &str = "correct horse battery";

/// The data that the rows use.
pub struct Fixture {
    /// A token for each user; carts and orders need no more of a user.
    pub tokens: Vec<String>,
    /// Log-in requests of the registered users.
    pub logins: Vec<Vec<u8>>,
    /// Their tokens.
    pub registered: Vec<String>,
    /// Ids of products.
    pub products: Vec<String>,
    /// Words of their titles.
    pub words: Vec<String>,
    /// A product's answer.
    pub product_body: Vec<u8>,
}

/// A GET.
pub fn get(path: &str, token: Option<&str>) -> Vec<u8> {
    let token = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{token}\r\n").into_bytes()
}

/// A POST of JSON.
pub fn post(path: &str, token: Option<&str>, body: &str) -> Vec<u8> {
    let token = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\n{token}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Fills an empty data directory with the shop, unless it is filled.
///
/// # Errors
/// When the command fails.
pub fn fill(run: &Run, data: &Path) -> Result<()> {
    fill_by(microbazaar(run, data), run)
}

/// As [`fill`], with a prepared command.
///
/// # Errors
/// As [`fill`].
pub fn fill_by(mut command: Command, run: &Run) -> Result<()> {
    command.args(["demo", "--products", &run.products.to_string()]).stdout(std::process::Stdio::null());
    if !command.status().context("the server's program cannot be run")?.success() {
        bail!("the shop could not be filled");
    }
    Ok(())
}

/// A token of a user who need not be registered.
///
/// # Errors
///
/// Never in practice.
pub fn mint() -> Result<String> {
    let tokens = Tokens::new(SECRET.as_bytes());
    Ok(tokens.issue(UserId::generate(), Role::User, Timestamp::now())?.0)
}

impl Fixture {
    /// Reads what is needed from the server, once its index has every product.
    ///
    /// # Errors
    /// When it does not answer as expected.
    pub async fn of(server: &Process, run: &Run) -> Result<Self> {
        let mut connection = Connection::open(server.address).await?;
        wait_for_index(&mut connection, run.products).await?;
        let (mut products, mut words) = (Vec::new(), Vec::new());
        // Spread over the whole catalogue, as many as the popular products of a busy shop.
        for page in 0..10 {
            let skip = page * (run.products / 10);
            let path = format!("/api/products?limit=100&skip={}", skip.min(900 * (page + 1)));
            let (_, body) = connection.ask(&get(&path, None)).await?;
            for product in serde_json::from_slice::<Vec<Value>>(body)? {
                products.extend(product["_id"].as_str().map(str::to_owned));
                let title = product["title"].as_str().unwrap_or_default();
                words.extend(title.split([' ', ',']).filter(|word| word.len() > 2).map(str::to_lowercase));
            }
        }
        words.sort_unstable();
        words.dedup();
        let first = products.first().context("the shop is empty")?;
        let (_, body) = connection.ask(&get(&format!("/api/products/{first}"), None)).await?;
        let product_body = body.to_vec();
        let tokens = (0..USERS).map(|_| mint()).collect::<Result<_>>()?;
        let (logins, registered) = register(&mut connection).await?;
        Ok(Self { tokens, logins, registered, products, words, product_body })
    }
}

async fn register(connection: &mut Connection) -> Result<(Vec<Vec<u8>>, Vec<String>)> {
    let (mut logins, mut tokens) = (Vec::new(), Vec::new());
    for number in 0..REGISTERED {
        let email = format!("bench{number}@microbazaar.example");
        let body = format!(r#"{{"email":"{email}","password":"{PASSWORD}"}}"#);
        let login = post("/api/auth/login", None, &body);
        // A reused data directory has them already.
        connection.ask(&post("/api/auth/register", None, &body)).await?;
        let (status, body) = connection.ask(&login).await?;
        let answer: Value = serde_json::from_slice(body)?;
        let Some(token) = answer["token"].as_str() else { bail!("a log-in was answered with {status}") };
        tokens.push(token.to_owned());
        logins.push(login);
    }
    Ok((logins, tokens))
}

async fn wait_for_index(connection: &mut Connection, products: u32) -> Result<()> {
    for _ in 0..1_200 {
        let total = connection.ask_header(&get("/api/products?limit=1", None), "x-total-count").await?;
        if total.is_some_and(|total| total.parse::<u32>().is_ok_and(|total| total >= products)) {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    bail!("the search index does not get complete")
}
