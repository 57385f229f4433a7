//! A head that outlives the sequencer, and fails when it is told to.

use std::sync::{Arc, Mutex};

use crate::head::{HeadError, HeadOwner, HeadState, HeadStore, SlotFault, check_step};
use crate::tree::TreeHead;

/// What goes wrong with the next advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadFault {
    /// It fails, and nothing is written.
    Lost,
    /// It is reported as failed, but is written.
    Kept,
    /// It is reported as failed, and the slot is torn.
    Torn,
}

/// One head, shared by every sequencer that is started on it.
#[derive(Clone)]
pub(crate) struct SharedHead(Arc<Mutex<Disk>>);

struct Disk {
    state: HeadState,
    fault: Option<(HeadFault, usize)>,
}

impl SharedHead {
    pub(crate) fn new(owner: HeadOwner, head: TreeHead) -> Self {
        let state = HeadState { owner, generation: 2, head, torn: None };
        Self(Arc::new(Mutex::new(Disk { state, fault: None })))
    }

    /// Makes the advance number `after`, counted from 0, go wrong.
    pub(crate) fn fail(&self, fault: HeadFault, after: usize) {
        self.0.lock().unwrap().fault = Some((fault, after));
    }

    pub(crate) fn heal(&self) {
        self.0.lock().unwrap().fault = None;
    }

    /// Changes what is stored, as no log would.
    pub(crate) fn tamper(&self, change: impl FnOnce(&mut HeadState)) {
        change(&mut self.0.lock().unwrap().state);
    }

    pub(crate) fn state(&self) -> HeadState {
        self.0.lock().unwrap().state.clone()
    }
}

impl HeadStore for SharedHead {
    fn read(&self) -> Result<HeadState, HeadError> {
        Ok(self.state())
    }

    fn advance(&mut self, expected: &TreeHead, next: &TreeHead) -> Result<(), HeadError> {
        let mut disk = self.0.lock().unwrap();
        check_step(&disk.state.head, expected, next)?;
        let fault = match disk.fault {
            Some((fault, 0)) => Some(fault),
            Some((fault, after)) => {
                disk.fault = Some((fault, after - 1));
                None
            }
            None => None,
        };
        if fault.is_some() {
            disk.fault = None;
        }
        match fault {
            Some(HeadFault::Lost) => return Err(broken()),
            Some(HeadFault::Torn) => {
                disk.state.torn = Some(SlotFault::Digest);
                return Err(broken());
            }
            Some(HeadFault::Kept) | None => {}
        }
        disk.state.head = *next;
        disk.state.generation += 1;
        disk.state.torn = None;
        fault.map_or(Ok(()), |_| Err(broken()))
    }

    #[cfg(feature = "failpoints")]
    fn overwrite(&mut self, head: &TreeHead) -> Result<(), HeadError> {
        self.0.lock().unwrap().state.head = *head;
        Ok(())
    }
}

fn broken() -> HeadError {
    HeadError::File { path: "memory".into(), during: "a test", source: std::io::Error::other("told to fail") }
}
