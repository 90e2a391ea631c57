//! The server: its routes, its limits and the headers of every response. What a request does is in `answer`.

use std::{
    future::{Future, IntoFuture as _},
    sync::{Arc, LazyLock, PoisonError, RwLock},
    time::Duration,
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
    },
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use sha2::{Digest as _, Sha256};
use tokio::{net::TcpListener, sync::oneshot};
use tower_http::timeout::TimeoutLayer;

use super::{answer, decision, door::Door, link, page, wrong};
use crate::{clock::Clock, model::settings::Config, store::Store, token::LinkKey};

/// The most bytes of a form: two texts of 2,000 characters, twelve bytes a character in the worst spelling.
const MAX_FORM: usize = 64 * 1024;
/// The longest that a request may take, its body included.
const MAX_TIME: Duration = Duration::from_secs(20);
/// The most connections at once; more wait.
const MAX_CONNECTIONS: usize = 512;
/// The longest that a connection may last, however many requests it brings.
const MAX_STAY: Duration = Duration::from_mins(1);
/// The longest that requests under way may take after the word to stop.
const GRACE: Duration = Duration::from_secs(5);
/// Row A-10: nothing but our own style sheet and our own form.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";
/// The one style sheet.
const STYLE: &str = include_str!("../../templates/style.css");

/// What the page works with.
#[derive(Debug, Clone)]
pub struct Desk {
    /// Where answers go.
    pub store: Store,
    /// The configuration in force; replaced on a reload.
    pub config: Arc<RwLock<Arc<Config>>>,
    /// The key of links and forms.
    pub key: Arc<LinkKey>,
    /// What time it is.
    pub clock: Clock,
}

impl Desk {
    /// The configuration in force now.
    pub(super) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The path that every address of ours begins with: empty, or the path of `base_url` without a slash at its end.
    pub(super) fn root(&self) -> String {
        self.config().web.base_url.path().trim_end_matches('/').to_owned()
    }
}

/// The routes: an answer page per digest, per story and for the rest of a digest, "Not yours?", a page per flood, new
/// links, the style sheet, and nothing else. GET and HEAD change nothing.
pub fn router(desk: Desk) -> Router {
    let answers = get(answer::show).post(answer::record);
    Router::new()
        .route("/a/{token}", answers.clone())
        .route("/a/{token}/{number}", answers)
        .route("/a/{token}/rest", get(answer::show_rest).post(answer::record_rest))
        .route("/a/{token}/wrong", get(wrong::show).post(wrong::record))
        .route("/a/{token}/anew", post(link::anew))
        .route("/a/{token}/held/{flood}", get(decision::show).post(decision::record))
        .route(&format!("/{}", style_name()), get(style))
        .fallback(no_such_page)
        .with_state(desk)
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, MAX_TIME))
        .layer(map_response(with_headers))
}

/// Serves until `stop` is ready, then finishes the requests that are under way, for at most five seconds.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (tell, told) = oneshot::channel();
    let server = axum::serve(Door::new(listener, MAX_CONNECTIONS, MAX_STAY), router).with_graceful_shutdown(async {
        stop.await;
        let _ = tell.send(());
    });
    let patience = async {
        let _ = told.await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        result = server.into_future() => result,
        () = patience => Ok(()),
    }
}

/// The style sheet's name; it changes with its content.
pub(super) fn style_name() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        use std::fmt::Write as _;
        let mut name = "style.".to_owned();
        for byte in Sha256::digest(STYLE).iter().take(6) {
            let _ = write!(name, "{byte:02x}");
        }
        name + ".css"
    });
    &NAME
}

async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

async fn no_such_page() -> Response {
    page::notice(StatusCode::NOT_FOUND, "", "There is no such page.", "Open the link in the mail again.")
}

async fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
