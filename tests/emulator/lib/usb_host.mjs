// The host at the other end of the USB cable: it enumerates the board and opens its serial port.

import { USBCDC } from 'rp2040js';

const CHUNK = 64; // a bulk packet at full speed; what waits for the board is handed over in pieces

export class UsbHost {
  /** `onBytes(bytes)` receives what the board sends. */
  constructor(chip, onBytes) {
    this.port = new USBCDC(chip.usbCtrl);
    this.port.onSerialData = onBytes;
    this.waiting = [];
    this.port.onDeviceConnected = () => {
      this.open = true;
      this.feed([]);
    };
  }

  /** Sends bytes to the board, as soon as it has been enumerated. */
  feed(bytes) {
    this.waiting.push(...bytes);
    if (!this.open) return;
    while (this.waiting.length > 0 && this.port.txFIFO.itemCount < CHUNK) {
      this.port.sendSerialByte(this.waiting.shift());
    }
  }
}
