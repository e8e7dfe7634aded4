@_exported public import ApusCore
@_exported public import ApusMessages
@_exported public import ApusProcesses
