//! `tollbridge config`: what is in force, secrets hidden.

use crate::config::Config;

pub fn run(config: &Config) {
    match &config.file {
        Some(file) => println!("# from {} and the environment", file.display()),
        None => println!("# the defaults and the environment; there is no configuration file"),
    }
    print!("{}", config.to_shown_toml());
}
