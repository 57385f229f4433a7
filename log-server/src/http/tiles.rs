//! C2SP tlog-tiles: the checkpoint, hash tiles and entry bundles, of published leaves only.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use govlog_formats::tile::{TilePath, width_at};

use super::error::Failure;
use super::{App, Keep, answer};

/// `GET /checkpoint`
pub(super) async fn checkpoint(State(app): State<App>) -> Result<Response, Failure> {
    let published = app.0.published.borrow().clone();
    let published = published.ok_or_else(|| Failure::NotFound("no checkpoint is published yet".to_owned()))?;
    Ok(answer(StatusCode::OK, "text/plain; charset=utf-8", Keep::Second, published.served().clone()))
}

/// `GET /tile/<L>/<N>[.p/<W>]` and `GET /tile/entries/<N>[.p/<W>]`
///
/// "any width whose leaves lie below the newest published size; 404 for what is absent, never a redirect" (DESIGN §8.1)
pub(super) async fn tile(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let path = request.uri().path().trim_start_matches('/');
    let tile: TilePath =
        path.parse().map_err(|error: govlog_formats::tile::PathError| Failure::NotFound(error.to_string()))?;
    let absent = || Failure::NotFound(format!("{tile} is not published"));
    let published = app.0.published.borrow().clone().ok_or_else(absent)?;
    let held = match tile {
        TilePath::Hash { id, .. } => width_at(id.level, id.n, published.size()),
        TilePath::Entries { n, .. } => width_at(0, n, published.size()),
    };
    if tile.width() > held {
        return Err(absent());
    }
    let bytes = app.prover.read(move || match tile {
        TilePath::Hash { id, width } => published.tree().hash_tile(id, width),
        TilePath::Entries { n, width } => published.tree().entry_bundle(n, width),
    });
    let bytes = bytes.await??.ok_or_else(absent)?;
    Ok(answer(StatusCode::OK, "application/octet-stream", Keep::ForEver, bytes))
}
