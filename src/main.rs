//! The `microbazaar` program: parses the command line and runs the command.

use std::process::ExitCode;

use microbazaar::{
    app,
    cli::{self, Admin, Cli, Command, ConfigCommand, Mail, Projections, User, dead, money},
    config::{Config, Sources},
    telemetry,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(cli) => {
            let ended = run(cli);
            telemetry::flush();
            ended.unwrap_or_else(|error| cli::failed(&error))
        }
        Err(code) => code,
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    if let Command::Openapi = cli.command {
        return Ok(cli::print(&app::openapi()?));
    }
    let (config, settings) = Config::load_with_settings(&Sources::of_process()?, &cli.overrides())?;
    telemetry::init(&config.log)?;
    match cli.command {
        Command::Serve(serve) => app::serve(&config, serve.demo)?,
        Command::Admin(Admin::Create { email, username }) => {
            app::admin_create(&config, &email, username, app::password::obtain)?;
        }
        Command::User(User::ResetPassword { email }) => app::user_reset_password(&config, &email)?,
        Command::User(User::ResetTwoFactor { email }) => app::user_reset_two_factor(&config, &email)?,
        Command::Demo { products } => app::demo_command(&config, products)?,
        Command::Config(ConfigCommand::Check) => return Ok(cli::print(&config.explain(&settings))),
        Command::Openapi => {} // printed above: it needs no configuration
        Command::Backup { file } => app::backup(&config, &file)?,
        Command::Projections(Projections::Rebuild) => app::rebuild_projections(&config)?,
        Command::Mail(Mail::List { failed, limit }) => app::mail_list(&config, failed, limit)?,
        Command::Mail(Mail::Show { id }) => app::mail_show(&config, id)?,
        Command::Mail(Mail::Resend { id }) => app::mail_resend(&config, id)?,
        Command::Ledger(money::Ledger::Check) => app::ledger_check(&config)?,
        Command::Payments(money::Payments::Reconcile { since }) => app::payments_reconcile(&config, since)?,
        Command::Health { ready } => app::health(&config, ready)?,
        Command::Migrate { from, to } => app::migrate::command(&config, from.as_deref(), to)?,
        Command::Dead(command) => return Ok(cli::print(&dead::run(&config, command)?)),
    }
    Ok(ExitCode::SUCCESS)
}
