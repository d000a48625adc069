import { describeGradients } from '../../support/finite-differences.ts';
import { logicCases } from './cases/logic.ts';

describeGradients('logic', logicCases);
