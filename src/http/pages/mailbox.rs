//! The embedded mailbox as a page, for development.
//!
//! **Invariant:** no content of a mail runs or navigates: its HTML is in a sandboxed frame, escaped as an attribute,
//! and everything else is text.

use askama::Template;

use super::format;
use crate::store::mailbox::Mail;

#[derive(Template)]
#[template(path = "mailbox.html")]
struct MailboxPage<'a> {
    mails: &'a [&'a Mail],
}

impl MailboxPage<'_> {
    #[expect(clippy::unused_self, reason = "templates call methods of what they show")]
    fn at(&self, mail: &Mail) -> format::Time {
        format::time(mail.at)
    }
}

/// The page that lists `mails`, newest first.
#[must_use]
pub fn mailbox_page(mails: &[Mail]) -> String {
    let mut newest_first: Vec<&Mail> = mails.iter().collect();
    // The sort is stable: mails of the same time stay in the store's order.
    newest_first.sort_by_key(|mail| std::cmp::Reverse(mail.at));
    // Rendering into a string fails only if formatting a value fails, and none does.
    MailboxPage { mails: &newest_first }.render().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(subject: &str, at: &str) -> Mail {
        Mail {
            to: "asha@example.com".into(),
            subject: subject.into(),
            text: "Hello <b>you</b>".into(),
            html: r#"<p class="a">Hi</p><script>alert("1")</script></iframe>"#.into(),
            at: at.parse().unwrap(),
            announcement: false,
            confidential: false,
            unsubscribe: None,
            user: None,
            about: None,
        }
    }

    #[test]
    fn mails_are_listed_newest_first_and_are_escaped() {
        let mails = [mail("Old <script>", "2026-01-01T00:00:00Z"), mail("New", "2026-01-02T00:00:00Z")];
        let page = mailbox_page(&mails);
        assert!(page.find("New").unwrap() < page.find("Old").unwrap());
        assert!(!page.contains("<script") && !page.contains("<b>you"), "{page}");
        assert!(page.contains("Old &#60;script&#62;"));
        assert_eq!(page.matches("<iframe sandbox ").count(), 2);
        assert_eq!(page.matches("</iframe>").count(), 2);
        assert!(page.contains(r#"srcdoc="&#60;p class=&#34;a&#34;&#62;Hi"#));
        assert!(
            page.contains(r#"<time datetime="2026-01-02T00:00:00Z" data-local="moment">2 Jan 2026, 00:00 UTC</time>"#)
        );
    }

    #[test]
    fn an_empty_mailbox_says_so() {
        assert!(mailbox_page(&[]).contains("No mail yet"));
    }
}
