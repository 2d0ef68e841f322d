//! Hashes, the dummy hash, a full queue and a panic.

use std::sync::mpsc;

use super::*;

#[tokio::test]
async fn a_password_verifies_against_its_own_hash_only() {
    let passwords = Passwords::start(1).unwrap();
    let secret = || SecretString::from("correct horse");
    let first = passwords.hash(secret(), Source::default()).await.unwrap();
    assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
    assert_ne!(first, passwords.hash(secret(), Source::default()).await.unwrap());
    assert_eq!(passwords.verify(secret(), Some(first.clone()), Source::default()).await, Ok(Verified::Yes));
    assert_eq!(passwords.verify("wrong".into(), Some(first), Source::default()).await, Ok(Verified::No));
    assert_eq!(
        passwords.verify(secret(), Some("$nonsense".into()), Source::default()).await,
        Err(PasswordError::Failed)
    );
}

#[tokio::test]
async fn a_password_is_the_same_composed_decomposed_or_with_another_space() {
    let passwords = Passwords::start(1).unwrap();
    let [composed, decomposed] = ["zwölf Käfer", "zwo\u{308}lf\u{A0}Ka\u{308}fer"].map(SecretString::from);
    let verify = async |password: &SecretString, phc: &str| {
        passwords.verify(password.clone(), Some(phc.to_owned()), Source::default()).await.unwrap()
    };
    let new = passwords.hash(decomposed.clone(), Source::default()).await.unwrap();
    assert_eq!((verify(&composed, &new).await, verify(&decomposed, &new).await), (Verified::Yes, Verified::Yes));
    assert_eq!(verify(&SecretString::from("zwolf Kafer"), &new).await, Verified::No);
    // Older hashes were made of the password as typed.
    let before = hash(&decomposed, &mut Memory::new()).unwrap();
    assert_eq!(verify(&decomposed, &before).await, Verified::Former);
    let before = hash(&SecretString::from("zwo\u{308}lf Ka\u{308}fer"), &mut Memory::new()).unwrap();
    assert_eq!(verify(&composed, &before).await, Verified::Former);
    assert_eq!(passwords.verify(decomposed, None, Source::default()).await, Ok(Verified::No));
}

#[test]
fn the_dummy_costs_what_a_hash_costs() {
    let dummy = PasswordHash::new(DUMMY).unwrap();
    let params = Params::try_from(&dummy).unwrap();
    assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (19_456, 2, 1));
    assert_eq!(verify(&"anything".into(), DUMMY, &mut Memory::new()), Ok(false));
}

#[tokio::test]
async fn a_full_queue_is_busy_and_a_job_without_a_caller_is_skipped() {
    let passwords = Passwords::with_limits(1, 2, IDLE).unwrap();
    let (open, release) = mpsc::channel::<()>();
    let (begun, has_begun) = oneshot::channel();
    let held = tokio::spawn({
        let passwords = passwords.clone();
        async move {
            let work = move |_: &mut Memory| {
                begun.send(()).map_err(|()| PasswordError::Failed)?;
                release.recv().map_err(|_| PasswordError::Failed)
            };
            passwords.run(Source::default(), work).await
        }
    });
    has_begun.await.unwrap();
    let mut gone = Box::pin(passwords.run(Source::default(), |_| Ok(())));
    assert!(futures_util::poll!(&mut gone).is_pending());
    let mut waits = Box::pin(passwords.run(Source::default(), |_| Ok(7)));
    assert!(futures_util::poll!(&mut waits).is_pending());
    assert!(passwords.is_full(Source::default()));
    assert_eq!(passwords.hash("more".into(), Source::default()).await, Err(PasswordError::Busy));
    drop(gone);
    open.send(()).unwrap();
    assert_eq!(waits.await, Ok(7));
    assert_eq!(held.await.unwrap(), Ok(()));
    assert_eq!(passwords.begun(), 2);
}

#[tokio::test]
async fn a_panic_fails_only_its_own_job() {
    let passwords = Passwords::start(1).unwrap();
    let broken: Result<(), _> = passwords.run(Source::default(), |_| panic!("in hashing, on purpose")).await;
    assert_eq!(broken, Err(PasswordError::Failed));
    assert_eq!(passwords.run(Source::default(), |memory| Ok(memory.len())).await, Ok(0));
}

#[tokio::test]
async fn the_memory_is_released_when_there_is_no_more_work() {
    let idle = Duration::from_millis(5);
    let passwords = Passwords::with_limits(1, 8, idle).unwrap();
    passwords.hash("correct horse".into(), Source::default()).await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while passwords.run(Source::default(), |memory| Ok(memory.len())).await != Ok(0) {
        assert!(tokio::time::Instant::now() < deadline, "in time");
        tokio::time::sleep(4 * idle).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn only_the_hashing_threads_have_low_priority() {
    let priority = || rustix::process::getpriority_process(None).map_err(|_| PasswordError::Failed);
    let before = priority();
    let passwords = Passwords::start(1).unwrap();
    let theirs = passwords.run(Source::default(), move |_| priority()).await.unwrap();
    assert_eq!(theirs, (before.unwrap() + NICENESS).min(19));
    assert_eq!(priority(), before);
}
