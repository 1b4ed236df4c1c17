//! Users: added, listed, revoked.

use std::{fs, io, path::PathBuf};

use lattice_claims::{
    KeyKind, KeyPair, PublicKey,
    nats::{AccountToken, CredsFile, UserGrant, UserToken},
};
use lattice_core::{
    EntityId,
    permission::{Permissions, Principal, Reach, Role},
};

use super::{
    OwnNats,
    folder::{FILE_BYTES_MAX, cannot},
};
use crate::{
    clock,
    exit::Exit,
    failure::{Failure, Outcome},
    files,
};

/// A user to be made.
#[derive(Debug, Clone)]
pub(crate) struct NewUser {
    /// Its name, also that of its file.
    pub(crate) name: EntityId,
    /// Who it is.
    pub(crate) principal: Principal,
    /// On which lattices.
    pub(crate) reach: Reach,
    /// The last unix second in which it counts.
    pub(crate) expires: Option<u64>,
}

impl NewUser {
    /// One that counts for ever.
    pub(crate) fn new(name: EntityId, principal: Principal, reach: Reach) -> NewUser {
        NewUser { name, principal, reach, expires: None }
    }
}

/// A user that was made.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) key: PublicKey,
    /// Its role and its lattice, or `*`; none for a file that somebody else put there.
    pub(crate) role: Option<(Role, String)>,
    pub(crate) issued: u64,
    pub(crate) expires: Option<u64>,
    pub(crate) file: PathBuf,
    pub(crate) revoked: bool,
}

impl User {
    /// Whether it can log in.
    pub(crate) fn state(&self, now: u64) -> &'static str {
        match (self.revoked, self.expires.is_some_and(|at| at < now)) {
            (true, _) => "revoked",
            (false, true) => "expired",
            (false, false) => "active",
        }
    }
}

impl OwnNats {
    /// The file of a user's credentials.
    pub(crate) fn creds(&self, name: &str) -> PathBuf {
        self.root.join("users").join(format!("{name}.creds"))
    }

    /// All users, by name.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn users(&self) -> Outcome<Vec<User>> {
        let (dir, account) = (self.root.join("users"), self.account_token()?);
        let entries = fs::read_dir(&dir).map_err(|error| cannot("read", &dir, error))?;
        let mut users = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| cannot("read", &dir, error))?.path();
            let name = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
            if let (Some(name), true) = (name, path.extension().is_some_and(|ending| ending == "creds")) {
                users.extend(self.user(&name, &account)?);
            }
        }
        users.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(users)
    }

    fn user(&self, name: &str, account: &AccountToken) -> Outcome<Option<User>> {
        let file = self.creds(name);
        let text = match files::read_text(&file, FILE_BYTES_MAX) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("read", &file, error)),
        };
        let unusable = |why: String| {
            let text = format!("{} holds no credentials: {why}", file.display());
            Failure::say(Exit::Refused, text).help("move it away, and add the user again")
        };
        let token = CredsFile::token_in(&text).map_err(|error| unusable(error.to_string()))?;
        let token = UserToken::read(token).map_err(|error| unusable(error.to_string()))?;
        let revoked = account.is_revoked(&token.user, token.issued);
        let role = match token.grant {
            UserGrant::Own { role, .. } => role,
            UserGrant::Scoped => None,
        };
        let UserToken { user: key, issued, expires, .. } = token;
        Ok(Some(User { name: name.to_owned(), key, role, issued, expires, file, revoked }))
    }

    /// Makes a user. One of its name that no longer counts is replaced.
    ///
    /// # Errors
    /// There is one of that name, or its file cannot be written.
    pub(crate) fn add_user(&self, new: &NewUser) -> Outcome<User> {
        let (name, account) = (new.name.as_str(), self.account_token()?);
        if let Some(old) = self.user(name, &account)? {
            if old.state(clock::now()) == "active" {
                let text = format!("there is a user {name} already: {}", old.file.display());
                let help = format!(
                    "give it another name, or revoke that one first: wash nats user revoke {} {name}",
                    self.root.display()
                );
                return Err(Failure::say(Exit::Refused, text).help(help));
            }
            fs::remove_file(&old.file).map_err(|error| cannot("remove", &old.file, error))?;
        }
        let creds = self.signed(new)?;
        files::write_private_new(&self.creds(name), creds.to_string().as_bytes())?;
        self.user(name, &account)?.ok_or_else(|| {
            Failure::say(Exit::Refused, format!("{} is gone again", self.creds(name).display()))
        })
    }

    /// The file of a user that is there or is made.
    ///
    /// # Errors
    /// One of its name is revoked, or of another role; a file cannot be read or written.
    pub(crate) fn ensure_user(&self, new: &NewUser) -> Outcome<PathBuf> {
        let (name, account) = (new.name.as_str(), self.account_token()?);
        if self.user(name, &account)?.is_none() {
            match self.add_user(new) {
                Ok(user) => return Ok(user.file),
                // Another process may have been faster.
                Err(failure) if self.user(name, &account)?.is_none() => return Err(failure),
                Err(_) => {}
            }
        }
        let wanted = Some((new.principal.role(), new.reach.to_string()));
        match self.user(name, &account)? {
            Some(user) if user.role == wanted && user.state(clock::now()) == "active" => Ok(user.file),
            Some(user) => {
                let state = user.state(clock::now());
                let text = format!("the user {name} of {} is not usable: {state}", self.root.display());
                let (role, dir) = (new.principal.role(), self.root.display());
                let reach = match &new.reach {
                    Reach::Lattice(lattice) => format!("--lattice {lattice}"),
                    Reach::Every => "--every-lattice".to_owned(),
                };
                Err(Failure::say(Exit::Refused, text)
                    .help(format!("make it anew: wash nats user add {dir} {name} --role {role} {reach}")))
            }
            None => Err(Failure::say(Exit::Refused, format!("the user {name} is gone again"))),
        }
    }

    fn signed(&self, new: &NewUser) -> Outcome<CredsFile> {
        let key = KeyPair::generate(KeyKind::User);
        let token = UserToken {
            name: new.name.to_string(),
            user: key.public_key().clone(),
            account: None,
            grant: UserGrant::Own {
                role: Some((new.principal.role(), new.reach.to_string())),
                permissions: Permissions::of(&new.principal, &new.reach),
            },
            issued: clock::now(),
            expires: new.expires,
        };
        let token = token.sign(&self.account).map_err(Failure::refused)?;
        Ok(CredsFile { token, key })
    }

    /// Revokes a user: its name stands in the account's token from now on. Servers have to hear of it, see [`super::push`].
    ///
    /// # Errors
    /// There is none of that name, or a file cannot be written.
    pub(crate) fn revoke_user(&self, name: &str) -> Outcome<User> {
        let mut account = self.account_token()?;
        let Some(user) = self.user(name, &account)? else {
            let text = format!("there is no user {name} in {}", self.root.display());
            let help = format!("see who there is: wash nats user list {}", self.root.display());
            return Err(Failure::say(Exit::Refused, text).help(help));
        };
        if !user.revoked {
            // Up to and with this second: what was signed in it counts no longer either.
            let until = clock::now().max(user.issued);
            account.revoked.insert(user.key.to_string(), until);
            self.sign_account(account)?;
        }
        self.rewrite_servers()?;
        Ok(User { revoked: true, ..user })
    }

    /// Writes the folders of all servers anew, so that one that is started from them knows what is known now.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub(crate) fn rewrite_servers(&self) -> Outcome {
        self.write_server()?;
        self.site_folders()?.iter().try_for_each(|site| self.write_site(&site.about))
    }
}
