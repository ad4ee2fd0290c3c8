// The methods, beside the authors' code or a plain implementation of the same formulas.

import Tensors

var methodWorks: [Work] { [] }

/// Work on the sample checkpoint.
func checkpointWorks(_ path: String) -> [Work] { [readCheckpoint(path)] }
