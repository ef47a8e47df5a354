// `npm start -- MODEL PICTURE [OPTIONS]`: sets the checkout up, then explains a picture. Without arguments it takes the
// SqueezeNet and the bird of the data folder beside the checkout, where that is there.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fail, root, run, setUp } from './setup.mjs';

let args = process.argv.slice(2);
if (args.length === 0) {
  const data = join(root, '..', 'shared', 'data');
  const model = join(data, 'models', 'squeezenet1.0-dc.onnx');
  if (!existsSync(model)) {
    fail(
      'which network and picture? npm start -- MODEL.onnx PICTURE.jpg [--preprocess imagenet] [--method all]',
      2,
    );
  }
  const classes = join(data, 'models', 'imagenet_classes.json');
  args = [model, join(data, 'images', 'cc', 'bird.jpg'), '--preprocess', 'caffe', '--classes', classes];
}
if (args.length === 1) fail('a picture is missing: npm start -- MODEL.onnx PICTURE.jpg', 2);
await setUp();
const given = (option) => args.some((arg) => arg === option || arg.startsWith(`${option}=`));
const defaults = [
  ...(given('--method') ? [] : ['--method', 'all']),
  ...(given('--png') || given('--raw') || given('--json') ? [] : ['--png', 'out/explanation.png']),
];
run(process.execPath, [
  join(root, 'packages', 'cli', 'bin', 'unitscope.js'),
  'explain',
  ...args,
  ...defaults,
]);
