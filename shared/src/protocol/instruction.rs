//! Instructions of posternd to the module. The module enforces limits of its own on each of them.

use super::codec::{Decoder, Encoder};
use super::frame::{Frame, FrameError};
use super::pam_function::PamFunctionResult;
use crate::credential::input;
use zeroize::Zeroizing;

const ASK: u8 = 64;
const TELL: u8 = 65;
const LOG: u8 = 66;
const DELAY_FAILURE: u8 = 67;
const GET_STACKED: u8 = 68;
const SET_STACKED: u8 = 69;
const KEEP_MARK: u8 = 70;
const STILL_WORKING: u8 = 71;
const END: u8 = 72;

/// Longest prompt or text in bytes: an enrollment with its QR code has some 12 KiB.
const TEXT: usize = 32 * 1024;
/// Longest log line in bytes.
const LINE: usize = 8 * 1024;
const MARK: usize = 4 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    Off = 0,
    On = 1,
}

/// Severity of a log line, with its number in syslog(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// An administrator must act.
    Error = 3,
    Notice = 5,
    Info = 6,
    /// For the search for a fault.
    Debug = 7,
}

/// One step of the conversation.
#[derive(Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Ask a prompt. The reply is [`super::RelayReply::Typed`] or [`super::RelayReply::NoInput`].
    Ask {
        /// May contain a secret, during enrollment.
        prompt: Zeroizing<String>,
        echo: Echo,
    },
    /// Show a text that needs no reply.
    Tell(String),
    Log {
        severity: Severity,
        line: String,
    },
    /// Have libpam wait about so many seconds if the transaction fails (pam_fail_delay(3)).
    DelayFailure(u32),
    /// Send the stacked password (PAM_AUTHTOK). The reply is [`super::RelayReply::Stacked`].
    GetStacked,
    /// Set the stacked password for later modules.
    SetStacked(Zeroizing<Vec<u8>>),
    /// Keep these bytes with the transaction, for its next function.
    KeepMark(Zeroizing<Vec<u8>>),
    /// Wait longer: the operation is not finished.
    StillWorking,
    /// Return this result to libpam.
    End(PamFunctionResult),
}

impl Severity {
    const ALL: [Severity; 4] = [
        Severity::Error,
        Severity::Notice,
        Severity::Info,
        Severity::Debug,
    ];

    /// Returns the number in syslog(3), which is that of the protocol too.
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl Frame for Instruction {
    const LIMIT: usize = TEXT + 64;

    fn kind(&self) -> u8 {
        match self {
            Instruction::Ask { .. } => ASK,
            Instruction::Tell(_) => TELL,
            Instruction::Log { .. } => LOG,
            Instruction::DelayFailure(_) => DELAY_FAILURE,
            Instruction::GetStacked => GET_STACKED,
            Instruction::SetStacked(_) => SET_STACKED,
            Instruction::KeepMark(_) => KEEP_MARK,
            Instruction::StillWorking => STILL_WORKING,
            Instruction::End(_) => END,
        }
    }

    fn encode(&self, fields: &mut Encoder) {
        match self {
            Instruction::Ask { prompt, echo } => {
                fields.u8(*echo as u8);
                fields.bytes(prompt.as_bytes());
            }
            Instruction::Tell(text) => fields.bytes(text.as_bytes()),
            Instruction::Log { severity, line } => {
                fields.u8(severity.number());
                fields.bytes(line.as_bytes());
            }
            Instruction::DelayFailure(seconds) => fields.u32(*seconds),
            Instruction::SetStacked(bytes) | Instruction::KeepMark(bytes) => fields.bytes(bytes),
            Instruction::GetStacked | Instruction::StillWorking => {}
            Instruction::End(result) => fields.u8(result.number()),
        }
    }

    fn decode(kind: u8, fields: &mut Decoder<'_>) -> Result<Instruction, FrameError> {
        Ok(match kind {
            ASK => Instruction::Ask {
                echo: fields.one_of([Echo::Off, Echo::On], |echo| echo as u8, "echo")?,
                prompt: Zeroizing::new(fields.text(TEXT, "prompt")?.to_owned()),
            },
            TELL => Instruction::Tell(fields.text(TEXT, "text")?.to_owned()),
            LOG => Instruction::Log {
                severity: fields.one_of(Severity::ALL, Severity::number, "severity")?,
                line: fields.text(LINE, "log line")?.to_owned(),
            },
            DELAY_FAILURE => Instruction::DelayFailure(fields.u32("seconds")?),
            GET_STACKED => Instruction::GetStacked,
            SET_STACKED => {
                let password = fields.bytes(input::LONGEST + 1, "stacked password")?;
                Instruction::SetStacked(Zeroizing::new(password.to_vec()))
            }
            KEEP_MARK => {
                Instruction::KeepMark(Zeroizing::new(fields.bytes(MARK, "mark")?.to_vec()))
            }
            STILL_WORKING => Instruction::StillWorking,
            END => Instruction::End(fields.one_of(
                PamFunctionResult::ALL,
                PamFunctionResult::number,
                "result",
            )?),
            _ => return Err(FrameError::Kind(kind)),
        })
    }
}
