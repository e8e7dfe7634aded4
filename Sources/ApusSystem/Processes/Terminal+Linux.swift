import Glibc

/// The terminal that standard error is, if it is one.
package enum Terminal {
  /// Whether a line at its bottom can be drawn again and again: not if a pager or another program has the screen too.
  package static var canShowBar: Bool {
    guard isatty(2) == 1, let name = getenv("TERM"), String(cString: name) != "dumb" else { return false }
    var information = stat()
    return isatty(1) == 1 || fstat(1, &information) == 0 && information.st_mode & S_IFMT == S_IFREG
  }

  /// Whether colours are wanted: see no-color.org.
  package static var isColoured: Bool {
    guard let value = getenv("NO_COLOR") else { return true }
    return value.pointee == 0
  }

  package static var columns: Int {
    var size = winsize()
    guard ioctl(2, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}
