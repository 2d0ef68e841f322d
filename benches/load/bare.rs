//! The minimum of an actix-web server: one handler that always sends the same bytes.

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::Result;
use bytes::Bytes;

use super::Bare;

/// Serves until the process is killed.
///
/// # Errors
/// When the file cannot be read or the port is taken.
pub fn serve(bare: &Bare) -> Result<()> {
    let body = Bytes::from(std::fs::read(&bare.body_file)?);
    let port = bare.port;
    actix_rt::System::new().block_on(async move {
        let server = HttpServer::new(move || {
            let body = body.clone();
            // The headers of the real response, so that it has the same size.
            let answer = move || {
                let body = body.clone();
                async move {
                    HttpResponse::Ok()
                        .insert_header(("content-type", "application/json"))
                        .insert_header(("etag", "\"1-1\""))
                        .insert_header(("x-content-type-options", "nosniff"))
                        .body(body)
                }
            };
            App::new().route("/{any:.*}", web::get().to(answer))
        });
        server.workers(workers()).tcp_nodelay(true).bind(("127.0.0.1", port))?.run().await?;
        Ok(())
    })
}

/// One for each core, as in the real server.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}
