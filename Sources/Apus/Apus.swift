@_exported public import ApusMessages
@_exported public import ApusProcesses
@_exported public import ApusRankPool
