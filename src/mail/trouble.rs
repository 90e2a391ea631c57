//! What goes wrong in the dialogue with a mail server: at which step, whose fault it is, and what it means for the
//! message. Nothing is read or written here.

use super::reply::{Reply, clean};
use crate::model::delivery::{RelayFault, RelayTrouble, SendOutcome};

/// The steps of a dialogue that a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Greeting,
    Ehlo,
    Helo,
    Starttls,
    Login,
    Mail,
    Rcpt,
    Data,
    Dot,
}

impl Step {
    pub(super) fn name(self) -> &'static str {
        match self {
            Step::Greeting => "the greeting",
            Step::Ehlo => "EHLO",
            Step::Helo => "HELO",
            Step::Starttls => "STARTTLS",
            Step::Login => "the login",
            Step::Mail => "MAIL",
            Step::Rcpt => "RCPT",
            Step::Data => "DATA",
            Step::Dot => "the message",
        }
    }

    /// Whether a 5xx refuses the message. Before the server knows the recipient it says nothing about it, but for its
    /// size: a sender that is refused is mostly refused with every message.
    pub(super) fn refuses_message(self, reply: &Reply) -> bool {
        !self.is_before_recipient() || (self == Step::Mail && reply.is_size(true))
    }

    /// Whether the server does not know the recipient yet.
    pub(super) fn is_before_recipient(self) -> bool {
        !matches!(self, Step::Rcpt | Step::Data | Step::Dot)
    }

    /// What a failure at this step says of the server.
    pub(super) fn fault(self) -> RelayFault {
        match self {
            Step::Login => RelayFault::Login,
            Step::Starttls => RelayFault::Tls,
            _ => RelayFault::Down,
        }
    }

    /// What a 5xx at this step says of the server where it does not refuse the message.
    pub(super) fn fault_of_refusal(self) -> RelayFault {
        if self == Step::Mail { RelayFault::Sender } else { self.fault() }
    }
}

/// Why a step did not succeed. Nothing of the message can have been taken.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) what: What,
    /// What is wrong with the server; `None`: the failure lies with the message or its recipient.
    pub(super) fault: Option<RelayFault>,
}

#[derive(Debug)]
pub(super) enum What {
    /// The server said no, for now or for good.
    Refused(Reply),
    /// It says that the message is too large.
    TooLarge(Reply),
    /// The line broke, or the server does not do what the configuration asks for.
    Lost(String),
}

impl Trouble {
    pub(super) fn lost(fault: RelayFault, cause: String) -> Trouble {
        Trouble { what: What::Lost(cause), fault: Some(fault) }
    }

    pub(super) fn refused(step: Step, reply: Reply) -> Trouble {
        if reply.is_size(matches!(step, Step::Mail | Step::Data | Step::Dot)) {
            return Trouble { what: What::TooLarge(reply), fault: None };
        }
        // 421: the server shuts down, whatever it was asked (RFC 5321 section 3.8).
        let is_servers = reply.code == 421 || (reply.later() && step.is_before_recipient());
        let fault = if step == Step::Login { RelayFault::Login } else { RelayFault::Busy };
        Trouble { what: What::Refused(reply), fault: is_servers.then_some(fault) }
    }

    /// The same failure while the connection is made: the server's own, whatever it was.
    pub(super) fn bars(&self) -> Option<RelayTrouble> {
        let words = |cause: &str| clean(cause);
        match (&self.what, self.fault) {
            (What::Lost(cause), fault) => {
                Some(RelayTrouble { fault: fault.unwrap_or(RelayFault::Down), cause: words(cause) })
            }
            (What::Refused(reply), fault) if reply.later() => Some(RelayTrouble {
                fault: fault.unwrap_or(RelayFault::Busy),
                cause: words(&format!("it said {reply}")),
            }),
            _ => None,
        }
    }

    /// What is wrong with the server, if the failure is the server's.
    pub(super) fn of_server(&self) -> Option<RelayTrouble> {
        let cause = match &self.what {
            What::Refused(reply) | What::TooLarge(reply) => format!("it said {reply}"),
            What::Lost(cause) => cause.clone(),
        };
        self.fault.map(|fault| RelayTrouble { fault, cause: clean(&cause) })
    }

    /// Whether the connection is of no use any more (421: RFC 5321 section 3.8).
    pub(super) fn ends_connection(&self) -> bool {
        match &self.what {
            What::Refused(reply) | What::TooLarge(reply) => reply.code == 421,
            What::Lost(_) => true,
        }
    }

    /// What it means for the message that was to be sent; `told`: the largest message that the server says it takes.
    pub(super) fn outcome(self, told: Option<u64>) -> SendOutcome {
        match self.what {
            What::TooLarge(reply) => SendOutcome::TooLarge { limit: told, code: Some(reply.code), reply: reply.text() },
            What::Refused(reply) if reply.never() => SendOutcome::Rejected { code: reply.code, reply: reply.text() },
            What::Refused(reply) => SendOutcome::Deferred { code: reply.code, reply: reply.text() },
            What::Lost(cause) => SendOutcome::Unreachable { cause: clean(&cause) },
        }
    }
}
