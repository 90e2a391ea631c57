//! An owner's browser, as far as the demo needs one: opens a link, fills the form, sends it.

use reqwest::{Client, header::CONTENT_TYPE, redirect::Policy};

/// Opens the page behind this link and records an answer with its form. Errors: in words.
pub async fn answer(link: &str, disposition: &str, note: &str) -> Result<(), String> {
    let told = |error: reqwest::Error| error.to_string();
    let client = Client::builder().no_proxy().redirect(Policy::none()).build().map_err(told)?;
    let page = client.get(link).send().await.map_err(told)?.text().await.map_err(told)?;
    let nonce = hidden(&page, "nonce").ok_or("the form has no nonce")?;
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("disposition", disposition)
        .append_pair("note", note)
        .append_pair("reference", "")
        .append_pair("nonce", &nonce)
        .finish();
    let request = client.post(link).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
    let status = request.send().await.map_err(told)?.status();
    if status.is_redirection() { Ok(()) } else { Err(format!("it answered {status}")) }
}

/// The value of a hidden field.
fn hidden(page: &str, name: &str) -> Option<String> {
    let (_, after) = page.split_once(&format!("name=\"{name}\""))?;
    let (_, value) = after.split_once("value=\"")?;
    value.split_once('"').map(|(value, _)| value.to_owned())
}
