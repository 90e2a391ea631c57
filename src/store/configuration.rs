//! Loaded configurations: each version is numbered and kept whole, its texts beside the log as personal data.

use rusqlite::{OptionalExtension, params};

use super::{Read, StoreError, Write, signed};
use crate::{
    difference::Difference,
    evidence::event::{Event, Personal},
    model::{
        id::ConfigVersion,
        settings::{Config, SourceFile},
        time::{Time, from_millis, millis},
    },
};

/// What loading a configuration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadedConfiguration {
    /// Its number.
    pub version: ConfigVersion,
    /// Whether it differs from the one before.
    pub is_new: bool,
}

impl Read<'_> {
    /// The number of the configuration in force; 0 before the first.
    pub fn configuration_version(&self) -> Result<ConfigVersion, StoreError> {
        let version: i64 =
            self.tx.query_row("SELECT coalesce(max(version), 0) FROM configuration", [], |row| row.get(0))?;
        Ok(ConfigVersion(version))
    }

    /// When the first configuration was loaded; `None`: none was.
    pub fn first_loaded_at(&self) -> Result<Option<Time>, StoreError> {
        let at: Option<i64> = self.tx.query_row("SELECT min(loaded_at) FROM configuration", [], |row| row.get(0))?;
        Ok(at.map(from_millis))
    }

    /// The configuration that was loaded last and its files as they were; `None` before the first.
    pub fn loaded_configuration(&self) -> Result<Option<(ConfigVersion, Vec<SourceFile>)>, StoreError> {
        let last: Option<(i64, i64)> = self
            .tx
            .query_row("SELECT version, record FROM configuration ORDER BY version DESC LIMIT 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let Some((version, record)) = last else { return Ok(None) };
        let mut query =
            self.tx.prepare_cached("SELECT field, text FROM personal WHERE idx = ?1 AND field LIKE 'file.%'")?;
        let files = query.query_map([record], |row| Ok(SourceFile { name: row.get(0)?, text: row.get(1)? }))?;
        let mut files: Vec<SourceFile> = files.collect::<Result<_, _>>()?;
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Some((ConfigVersion(version), files)))
    }
}

impl Write<'_> {
    /// Makes this the configuration in force: numbers it when it differs from the last one, and brings feeds and
    /// owners' schedules in line with it. A feed of an unknown id at a known address is the same feed, renamed.
    pub fn load_configuration(&mut self, config: &Config, now: Time) -> Result<LoadedConfiguration, StoreError> {
        let last: Option<(i64, String)> = self
            .tx
            .query_row("SELECT version, hash FROM configuration ORDER BY version DESC LIMIT 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let version = match &last {
            Some((version, hash)) if *hash == config.hash => ConfigVersion(*version),
            _ => ConfigVersion(last.as_ref().map_or(1, |(version, _)| version + 1)),
        };
        let is_new = last.is_none_or(|(last, _)| last != version.0);
        if is_new {
            let before = self.read().loaded_configuration()?;
            let event = Event::ConfigurationLoaded {
                version,
                files: config
                    .files
                    .iter()
                    .map(|file| (file.name.clone(), Personal::shared(file.text.clone())))
                    .collect(),
                counts: [config.feeds.len(), config.owners.len(), config.components.len(), config.topics.len()],
                difference: before.map(|(_, files)| Box::new(Difference::between(&files, &config.files))),
            };
            let record = self.record(event, now)?;
            self.tx.execute(
                "INSERT INTO configuration (version, hash, loaded_at, record) VALUES (?1, ?2, ?3, ?4)",
                params![version.0, config.hash, millis(now), signed(record)],
            )?;
        }
        self.align_feeds(config, version, now)?;
        if is_new {
            self.retry_what_our_rules_refused(now)?;
        }
        self.align_owners(config)?;
        Ok(LoadedConfiguration { version, is_new })
    }

    fn align_owners(&mut self, config: &Config) -> Result<(), StoreError> {
        for owner in &config.owners {
            let zone = owner.timezone.iana_name().unwrap_or("UTC").to_owned();
            // A changed schedule is planned anew; an unchanged one keeps its next run over restarts.
            self.tx
                .prepare_cached(
                    "INSERT INTO owner_state (owner, schedule, zone) VALUES (?1, ?2, ?3)
                     ON CONFLICT (owner) DO UPDATE SET
                         next_digest_at = CASE WHEN schedule = excluded.schedule AND zone = excluded.zone
                             THEN next_digest_at END,
                         schedule = excluded.schedule, zone = excluded.zone",
                )?
                .execute(params![owner.id.as_str(), owner.digest, zone])?;
        }
        Ok(())
    }
}
