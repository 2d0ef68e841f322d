//! Mails: the mailer, and the commands on the delivery log.
//!
//! The commands work while a server runs, as `backup` does: they open the database without the lock on the data
//! directory.
//!
//! **Invariant:** no text of a mail reaches the terminal as a control character.

use std::{fmt::Write, sync::Arc};

use anyhow::{Context, Result, bail};

use super::{Storage, commands::print};
use crate::{
    actors::mail_sender::{Mails, ResendError, Resent, resend},
    config::Config,
    integrations::{
        mail::{MailboxMailer, Mailer, SmtpClient},
        redis::ChangeNotifier,
    },
    runtime::Runtime,
    store::{
        MailboxStore, Stores,
        mailbox::{MailRecord, MailState},
    },
};

/// The mailer of this configuration: with a mail server, the delivery log with its sender, otherwise the mailbox.
///
/// # Errors
/// One sentence that names the invalid key.
pub(super) fn mailer(
    config: &Config,
    runtime: &Runtime,
    stores: &Stores,
    notifier: &ChangeNotifier,
) -> Result<(Arc<dyn Mailer>, Option<Mails>)> {
    let mailbox = stores.mailbox.clone();
    Ok(match smtp(config)? {
        Some(smtp) => {
            let mails = Mails::start(runtime, mailbox, Arc::new(smtp), config.rabbit.retry_delays.to_vec(), notifier);
            (Arc::new(mails.clone()), Some(mails))
        }
        None => (Arc::new(MailboxMailer::new(mailbox)), None),
    })
}

fn smtp(config: &Config) -> Result<Option<SmtpClient>> {
    let Some(server) = config.mail_server()? else { return Ok(None) };
    Ok(Some(SmtpClient::try_new(&server, &config.email.from, config.email.unsubscribe.as_deref())?))
}

/// Prints the newest mails, or the failed ones, one line each.
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
        let summary = plain(&format!("{}: {}", mail.to, mail.subject));
        let why = reason.as_deref().map(|reason| plain(&format!(" ({reason})"))).unwrap_or_default();
        // Writing to a String does not fail.
        let _ = writeln!(text, "{id:>8}  {:7}  {attempts:>5}  {changed}  {summary}{why}", state.as_str());
    }
    print(text.trim_end());
    Ok(())
}

/// Prints a mail and its outcome.
///
/// # Errors
/// When there is no such mail, or the database cannot be read.
pub fn mail_show(config: &Config, id: u64) -> Result<()> {
    let record = beside(config, |mailbox| async move { found(&mailbox, id).await })?;
    let mail = &record.mail;
    let mut text = String::new();
    for (name, value) in [
        ("id", record.id.to_string()),
        ("event", record.event.to_string()),
        ("state", record.state.as_str().to_owned()),
        ("tries", record.attempts.to_string()),
        ("changed", record.changed_at.to_string()),
        ("next try", record.next_try_at.map_or_else(|| "-".to_owned(), |at| at.to_string())),
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

/// Sends a mail again through the mail server, whatever its state. Waits while a running server is sending it.
///
/// # Errors
/// When no mail server is configured, there is no such mail, or it is refused.
pub fn mail_resend(config: &Config, id: u64) -> Result<()> {
    let (to, resent) = beside(config, |mailbox| async move {
        let Some(smtp) = smtp(config)? else {
            bail!("smtp.url is not set, so there is no mail server to send by");
        };
        let record = found(&mailbox, id).await?;
        let resent = match resend(&mailbox, &smtp, &config.rabbit.retry_delays, &record).await {
            Err(ResendError::Refused(error)) => Err(error).with_context(|| format!("mail {id} failed again"))?,
            Err(ResendError::Busy) => bail!("mail {id} is being sent at this moment; see: microbazaar mail list"),
            other => other?,
        };
        Ok((record.mail.to, resent))
    })?;
    let to = plain(&to);
    print(&match resent {
        Resent::Now => format!("mail {id} is sent to {to}"),
        Resent::BySender => format!("mail {id} was sent to {to} just now, by the server that runs"),
    });
    Ok(())
}

async fn found(mailbox: &MailboxStore, id: u64) -> Result<MailRecord> {
    mailbox.record(id).await?.with_context(|| format!("there is no mail {id}; see: microbazaar mail list"))
}

/// Works on the delivery log, which other processes may be using.
fn beside<T, F: Future<Output = Result<T>>>(config: &Config, work: impl FnOnce(MailboxStore) -> F) -> Result<T> {
    actix_rt::System::new().block_on(async {
        let storage = Storage::open_beside(config).await?;
        let done = work(storage.stores().mailbox).await;
        storage.close().await?;
        done
    })
}

/// `text` on one line, without control characters.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
