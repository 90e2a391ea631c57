//! The server of the page: its routes, its limits and the headers of every response. What a request does is in `answer`.

use std::{
    future::Future,
    net::IpAddr,
    sync::{
        Arc, LazyLock, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware::{Next, from_fn_with_state, map_response},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tower_http::timeout::TimeoutLayer;

use super::{
    answer, decision,
    limit::Budgets,
    link,
    listener::{self, Limits, Peer},
    page, proxy, wrong,
};
use crate::{
    clock::{Clock, Stopwatch},
    model::settings::{ClientHeader, Config, WebSettings},
    store::{Store, StoreError},
    token::LinkKey,
};

/// The most bytes of a form: two texts of 2,000 characters, twelve bytes a character in the worst spelling.
const MAX_FORM: usize = 64 * 1024;
/// The longest that a request may take, its body included.
const MAX_TIME: Duration = Duration::from_secs(20);
/// What the listener of the page puts up with: slow clients and thousands of connections cost neither memory nor files.
const LIMITS: Limits = Limits { places: 512, head: Duration::from_secs(10), stay: Duration::from_mins(1) };
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

    /// Does what waits for the store on a thread that may wait.
    pub(super) async fn in_store<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Store, &Config) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (store, config) = (self.store.clone(), self.config());
        tokio::task::spawn_blocking(move || act(&store, &config))
            .await
            .unwrap_or(Err(StoreError::OnPurpose("the thread of the store")))
    }
}

/// The routes: an answer page per digest, per story and for the rest of a digest, "Not yours?", a page per flood, new
/// links, the style sheet, and nothing else. GET and HEAD change nothing.
pub fn router(desk: Desk) -> Router {
    let answers = get(answer::show).post(answer::record);
    let slow = from_fn_with_state(desk.clone(), too_slow);
    let gate = Gate { desk: desk.clone(), budgets: Arc::default(), since: Stopwatch::start(), hinted: Arc::default() };
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
        .layer(slow)
        .layer(from_fn_with_state(gate, few_wrong_links))
        .layer(map_response(with_headers))
}

/// Serves until `stop` is ready, then finishes the requests that are under way, for at most five seconds.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    listener::serve(listener, router, LIMITS, stop).await
}

/// Says what took too long. A form whose answer was not waited for may be recorded yet, so nothing is said of that but how to
/// find out; sent again, it finds its own record.
async fn too_slow(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let is_form = request.method() == Method::POST;
    let response = next.run(request).await;
    if response.status() != StatusCode::REQUEST_TIMEOUT {
        return response;
    }
    let (words, advice) = if is_form {
        let advice = "Open the link again in a few minutes: what is recorded stands there. If it does not, send the form again; one \
                      form is recorded once.";
        ("It took too long to say whether this is recorded.", advice)
    } else {
        ("This page took too long.", "Nothing is lost; try again later.")
    };
    page::notice(StatusCode::REQUEST_TIMEOUT, &desk.root(), words, advice)
}

/// Counts wrong links.
#[derive(Clone)]
struct Gate {
    desk: Desk,
    budgets: Arc<Mutex<Budgets>>,
    since: Stopwatch,
    /// Whether it was said that a proxy is not believed.
    hinted: Arc<AtomicBool>,
}

/// Answers 429 (RFC 6585 section 4) to an address that asked for too many wrong links. A link that is right is served
/// whoever asks, so that nobody who guesses keeps an owner out who comes from the same address.
async fn few_wrong_links(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (client, is_form) = (gate.client(&request), request.method() == Method::POST);
    let response = next.run(request).await;
    let Some(client) = client.filter(|_| response.status() == StatusCode::NOT_FOUND) else { return response };
    let mut budgets = gate.budgets.lock().unwrap_or_else(PoisonError::into_inner);
    let Err(wait) = budgets.spend(client, gate.since.elapsed()) else { return response };
    drop(budgets);
    let words = "Too many wrong links came from your network address.";
    let advice = "Wait a minute, then open the link in the mail again.";
    // Whoever sent a form reads that it was not recorded, and has back what was typed.
    let mut refusal = if is_form {
        (StatusCode::TOO_MANY_REQUESTS, response).into_response()
    } else {
        page::notice(StatusCode::TOO_MANY_REQUESTS, &gate.desk.root(), words, advice)
    };
    refusal.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().saturating_add(1)));
    refusal
}

impl Gate {
    /// For whom a request comes; kept nowhere but in the table of budgets.
    fn client(&self, request: &Request) -> Option<IpAddr> {
        let Peer(peer) = request.extensions().get::<Peer>().copied()?;
        let config = self.desk.config();
        let WebSettings { trusted_proxies, client_header, .. } = &config.web;
        let named: Vec<&str> = values(request.headers(), *client_header);
        let client = proxy::client(peer, trusted_proxies, *client_header, named.iter().copied());
        let is_forwarded = || ClientHeader::ALL.iter().any(|header| request.headers().contains_key(header.as_str()));
        if trusted_proxies.is_empty() && is_forwarded() && !self.hinted.swap(true, Ordering::Relaxed) {
            tracing::info!(
                target: "run",
                "a request says that it was forwarded, and no proxy is believed: where one stands before the page, \
                 name it in `trusted_proxies` under [web]"
            );
        }
        Some(client)
    }
}

/// The values of a header that are text.
fn values(headers: &HeaderMap, name: ClientHeader) -> Vec<&str> {
    headers.get_all(name.as_str()).iter().filter_map(|value| value.to_str().ok()).collect()
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
