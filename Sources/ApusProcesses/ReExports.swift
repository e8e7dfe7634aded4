// What a program may name of the modules below; the rest of them is no part of the interface.
@_exported public import struct ApusEngine.PoolStatistics
@_exported public import enum ApusEngine.WorkerOutput
@_exported public import struct ApusEngine.WorkerLine
@_exported public import struct ApusSystem.Event
@_exported public import class ApusSystem.EventStream
@_exported public import enum ApusSystem.ExitStatus
@_exported public import enum ApusSystem.Processors
@_exported public import protocol ApusWire.RawCodable
@_exported public import protocol ApusWire._RawScalar
@_exported public import struct ApusWire.RemoteFunction
@_exported public import struct ApusWire.WireError
