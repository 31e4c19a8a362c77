//! The pages as a router of an existing axum application.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;

use super::answer::answer;
use super::pages::Pages;
use super::server::Progress;

/// Returns a router for all pages but the live one.
pub(super) fn router(pages: Arc<Pages>) -> Router {
    Router::new()
        .route("/metrics", any(page))
        .route("/metrics/merged", any(page))
        .route("/metrics/devices/{device}", any(page))
        .route("/sd", any(page))
        .route("/stats", any(page))
        .route("/stats/{*path}", any(page))
        .route("/health", any(page))
        .with_state(pages)
}

async fn page(State(pages): State<Arc<Pages>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    // A router that was nested somewhere sees the path below that place.
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    answer(&parts, target, pages, &Progress::new()).await.map(Body::new)
}
