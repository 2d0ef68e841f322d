//! Mails: who sends them, and the commands that look after the delivery log.
//!
//! The commands work beside a running server, as `backup` does: they open the database
//! without the lock on the data directory.
//!
//! **Invariant:** nothing that a mail says reaches the terminal as a control character.

use std::{fmt::Write, sync::Arc};

use anyhow::{Context, Result, bail};

use super::{Storage, commands::print};
use crate::{
    config::Config,
    integrations::smtp::{MailboxMailer, Mailer, SmtpMailer},
    store::{
        MailboxStore, Stores,
        mailbox::{MailRecord, MailState},
    },
};

/// The mailer of this configuration: SMTP where a server is given, else the mailbox.
///
/// # Errors
/// One sentence that names the key that cannot be used.
pub(super) fn mailer(config: &Config, stores: &Stores) -> Result<Arc<dyn Mailer>> {
    Ok(match smtp(config, &stores.mailbox)? {
        Some(smtp) => Arc::new(smtp),
        None => Arc::new(MailboxMailer::new(Arc::clone(&stores.mailbox))),
    })
}

fn smtp(config: &Config, mailbox: &Arc<dyn MailboxStore>) -> Result<Option<SmtpMailer>> {
    let Some(server) = config.mail_server()? else { return Ok(None) };
    let (from, unsubscribe) = (&config.email.from, config.email.unsubscribe.as_deref());
    Ok(Some(SmtpMailer::try_new(&server, from, unsubscribe, Arc::clone(mailbox))?))
}

/// Prints the newest mails, or the failed ones, a line each.
///
/// # Errors
/// When the database cannot be read.
pub fn mail_list(config: &Config, failed: bool, limit: u32) -> Result<()> {
    let state = failed.then_some(MailState::Failed);
    let records = beside(config, |mailbox| async move { Ok(mailbox.records(state, limit).await?) })?;
    if records.is_empty() {
        print(if failed { "no mail has failed" } else { "there is no mail" });
        return Ok(());
    }
    let mut text = format!("{:>8}  {:7}  {:>5}  {:20}  mail\n", "id", "state", "tries", "changed");
    for MailRecord { id, mail, state, attempts, reason, changed_at, .. } in &records {
        let changed = changed_at.strftime("%Y-%m-%dT%H:%M:%SZ");
        let told = plain(&format!("{}: {}", mail.to, mail.subject));
        let why = reason.as_deref().map(|reason| plain(&format!(" ({reason})"))).unwrap_or_default();
        // Writing to a String does not fail.
        let _ = writeln!(text, "{id:>8}  {:7}  {attempts:>5}  {changed}  {told}{why}", state.as_str());
    }
    print(text.trim_end());
    Ok(())
}

/// Prints a mail and what became of it.
///
/// # Errors
/// When there is no such mail, or the database cannot be read.
pub fn mail_show(config: &Config, id: u64) -> Result<()> {
    let record = beside(config, |mailbox| async move { found(&*mailbox, id).await })?;
    let mail = &record.mail;
    let mut text = String::new();
    for (name, value) in [
        ("id", record.id.to_string()),
        ("event", record.event.to_string()),
        ("state", record.state.as_str().to_owned()),
        ("tries", record.attempts.to_string()),
        ("changed", record.changed_at.to_string()),
        ("reason", record.reason.clone().unwrap_or_else(|| "-".to_owned())),
        ("to", mail.to.clone()),
        ("subject", mail.subject.clone()),
        ("at", mail.at.to_string()),
    ] {
        let _ = writeln!(text, "{name:8} {}", plain(&value));
    }
    let body: Vec<String> = mail.text.lines().map(plain).collect();
    print(&format!("{text}\n{}", body.join("\n")));
    Ok(())
}

/// Sends a mail again by the mail server, whatever became of it before.
///
/// # Errors
/// When no mail server is given, there is no such mail, or it is not taken.
pub fn mail_resend(config: &Config, id: u64) -> Result<()> {
    let to = beside(config, |mailbox| async move {
        let Some(smtp) = smtp(config, &mailbox)? else {
            bail!("smtp.url is not set, so there is no mail server to send by");
        };
        let record = found(&*mailbox, id).await?;
        smtp.resend(&record).await.with_context(|| format!("mail {id} failed again"))?;
        Ok(record.mail.to)
    })?;
    print(&format!("mail {id} is sent to {}", plain(&to)));
    Ok(())
}

async fn found(mailbox: &dyn MailboxStore, id: u64) -> Result<MailRecord> {
    mailbox.record(id).await?.with_context(|| format!("there is no mail {id}; see: microbazaar mail list"))
}

/// Works on the delivery log beside whoever else uses it.
fn beside<T, F: Future<Output = Result<T>>>(
    config: &Config,
    work: impl FnOnce(Arc<dyn MailboxStore>) -> F,
) -> Result<T> {
    actix_rt::System::new().block_on(async {
        let storage = Storage::open_beside(config).await?;
        let done = work(storage.stores().mailbox).await;
        storage.close().await?;
        done
    })
}

/// `text` on one line, without what a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
